/* SPDX-License-Identifier: MIT */
/* The subcommands. Each gets argv[0] as its own name and returns an exit status (enum exit_status). */
#ifndef EBPFMON_COMMANDS_H
#define EBPFMON_COMMANDS_H

struct advice_form;
struct options;

/* What ebpfmon ends with; `run` ends with its command's own status instead, as time(1) does. */
enum exit_status {
	EXIT_OK = 0,
	EXIT_FAIL = 1, /* it did not work; stderr says what and why */
	EXIT_USAGE = 2, /* the command line is wrong */
	EXIT_FINDINGS = 3, /* a check found something */
	EXIT_PARTIAL = 4, /* --strict: events were lost, or a program could not be loaded */
	EXIT_CONTAINER = 5, /* no container is what --container means, or several are */
	EXIT_RUN = 125, /* run: ebpfmon itself failed */
	EXIT_INTERRUPTED = 130, /* SIGINT, and no report was asked for */
};

int cmd_record(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_recommend(int argc, char **argv);
int cmd_verify(int argc, char **argv); /* recommend --verify */
/*
 * What @o wants of the advice, with the base sets of tables and of this host; an exit status, after
 * saying what is wrong. base_set_free() f->base, whatever is returned.
 */
int recommend_form(struct advice_form *f, const struct options *o);
int cmd_diff(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_calibrate(int argc, char **argv);

#endif
