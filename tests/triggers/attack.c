// SPDX-License-Identifier: MIT
#include "adversary.h"
int attack(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return 1;
}
