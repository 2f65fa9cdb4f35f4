// SPDX-License-Identifier: MIT
#include "commands.h"
int cmd_calibrate(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return 1;
}
