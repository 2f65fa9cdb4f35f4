// SPDX-License-Identifier: MIT
/* Threads of glibc: they wait for each other, sleep, allocate, and give the same sum each time. */
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define THREADS 8
#define ROUNDS	200

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t barrier;
static long sum;

static void *work(void *arg)
{
	struct timespec ms = {0, 1000000};

	pthread_barrier_wait(&barrier);
	for (int i = 0; i < ROUNDS; i++) {
		char *p = malloc(200000);

		if (!p)
			abort();
		memset(p, i, 200000);
		pthread_mutex_lock(&lock);
		sum += p[i] + (long)(size_t)arg;
		pthread_mutex_unlock(&lock);
		free(p);
	}
	nanosleep(&ms, NULL);
	return NULL;
}

int main(void)
{
	pthread_t t[THREADS];

	pthread_barrier_init(&barrier, NULL, THREADS);
	for (size_t i = 0; i < THREADS; i++)
		if (pthread_create(&t[i], NULL, work, (void *)i))
			return 1;
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	printf("sum %ld\n", sum);
	return 5;
}
