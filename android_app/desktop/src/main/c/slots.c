/*
 * Keeps free what Android's libraries take for theirs of each thread's memory, on Arm: the word that
 * guards the stack lies 40 bytes behind the thread pointer, where glibc puts the variables of the
 * first library that has some. This is that library: it is preloaded.
 */

__thread char slots[256] __attribute__((aligned(16))) = {1};

char *slots_of_this_thread(void) { return slots; }
