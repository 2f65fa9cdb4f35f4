/* SPDX-License-Identifier: MIT */
/* The kernel's filter of a seccomp profile in the OCI form: by libseccomp, as runtimes make it. */
#ifndef EBPFMON_SECCOMP_FILTER_H
#define EBPFMON_SECCOMP_FILTER_H

struct cJSON;
struct sock_fprog;

/*
 * 0: @out is the program, its instructions to be freed; or -errno: libseccomp does not take the
 * profile, which is one (oci_profile_wrong()). Names that libseccomp does not know are left out.
 */
int seccomp_filter_make(const struct cJSON *profile, struct sock_fprog *out);

#endif
