// SPDX-License-Identifier: MIT
#include <linux/audit.h>
#include <linux/netlink.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include "audit.h"

#define ANSWER_USEC 200000 /* the kernel answers before send() is over, or not at all */

/* AUDIT_GET: linux/audit.h, kernel/audit.c */
static bool ask(int fd, struct audit_status *status)
{
	struct nlmsghdr get = {sizeof(get), AUDIT_GET, NLM_F_REQUEST, 1, 0};
	struct {
		struct nlmsghdr head;
		struct audit_status status;
	} got;
	ssize_t n;

	if (send(fd, &get, sizeof(get), 0) != sizeof(get))
		return false;
	n = recv(fd, &got, sizeof(got), 0);
	if (n < (ssize_t)sizeof(got.head) || got.head.nlmsg_type != AUDIT_GET)
		return false;
	*status = got.status;
	return (size_t)n >= sizeof(got.head) + offsetof(struct audit_status, failure);
}

bool audit_is_off(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_AUDIT);
	struct timeval wait = {0, ANSWER_USEC};
	struct audit_status status = {};
	bool off;

	if (fd < 0)
		return false;
	off = !setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) && ask(fd, &status) &&
	      !status.enabled;
	close(fd);
	return off;
}
