// SPDX-License-Identifier: MIT
/* ebpfmon record: watch containers. */
#include <errno.h>
#include "commands.h"
#include "privilege.h"
#include "recorder.h"

int cmd_record(int argc, char **argv)
{
	struct options o;
	struct recorder r;
	int err = options_parse(&o, OPT_RECORD, argc, argv), status = EXIT_FAIL;

	if (err)
		return err > 0 ? EXIT_OK : EXIT_USAGE;
	err = recorder_open(&r, &o);
	if (!err)
		err = recorder_start(&r);
	if (!err)
		err = privilege_settle(o.sandbox);
	if (!err) {
		while (recorder_turn(&r))
			;
		status = recorder_finish(&r, NULL);
	} else if (err == -ENODEV || err == -ENOTUNIQ)
		status = EXIT_CONTAINER;
	recorder_close(&r);
	return status;
}
