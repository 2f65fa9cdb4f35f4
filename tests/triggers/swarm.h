/* SPDX-License-Identifier: MIT */
#ifndef SWARM_H
#define SWARM_H

int swarm(int argc, char **argv);
int secret(int argc, char **argv);
int reuse(void);

#endif
