/* SPDX-License-Identifier: MIT */
/* What an attacker, or a program out of bounds, does: each says as JSON what it did. */
#ifndef ADVERSARY_H
#define ADVERSARY_H

int flood(int argc, char **argv);
int attack(int argc, char **argv);

#endif
