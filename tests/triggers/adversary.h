/* SPDX-License-Identifier: MIT */
/* What an attacker, or a program out of bounds, does: each says as JSON what it did. */
#ifndef ADVERSARY_H
#define ADVERSARY_H

int flood(int argc, char **argv);
int crowd(int argc, char **argv);
int escape(int argc, char **argv);

#endif
