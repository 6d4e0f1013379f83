/*
 * Enough of Android's C library for the APK's 64-bit libraries to run on glibc, on x86-64 and on
 * Arm: TensorFlow Lite's and zstd's.
 *
 * They ask for symbols of the version LIBC, which Android's C library has. Most of those mean the
 * same here and are passed on to glibc; the others are written out below. Structures that cross
 * the border (mutexes, conditions, once controls, stat) have the same size and start value in both
 * C libraries; only a mutex is larger in glibc on Arm.
 *
 * It is loaded before the library and found by its soname, libc.so. Test equipment: what runs so
 * is the runtime's own machine code, on another machine than a phone.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <jni.h>
#include <malloc.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Jumps to glibc's function. */
#ifdef __aarch64__
#define JUMP(name) "adrp x16, :got:" #name "\n\tldr x16, [x16, :got_lo12:" #name "]\n\tbr x16"
#else
#define JUMP(name) "jmp *" #name "@GOTPCREL(%rip)"
#endif

/* Offers glibc's function under Android's version. */
#define PASS(name)                                                                        \
  __asm__(".text\n.globl to_" #name "\n.type to_" #name ",%function\nto_" #name           \
          ":\n\t" JUMP(name) "\n\t.symver to_" #name "," #name "@LIBC\n");

/* Offers a function of ours, own_NAME, under Android's version. */
#define OWN(name) __asm__(".symver own_" #name "," #name "@LIBC")

/* One line each would be a hundred lines. */
#define PASS_ALL \
    PASS(__cxa_atexit) PASS(__cxa_finalize) PASS(__memmove_chk) PASS(__open_2) PASS(__read_chk) \
    PASS(__stack_chk_fail) PASS(__vsnprintf_chk) PASS(abort) PASS(atan2) PASS(atan2f) \
    PASS(bsearch) PASS(clock) PASS(clock_gettime) PASS(close) PASS(closelog) PASS(cos) \
    PASS(cosf) PASS(dl_iterate_phdr) PASS(dlclose) PASS(dlerror) PASS(dlopen) PASS(dlsym) \
    PASS(erfcf) PASS(exit) PASS(exp) PASS(expf) PASS(expm1f) PASS(flock) PASS(fmodf) PASS(fopen) \
    PASS(free) PASS(freelocale) PASS(frexp) PASS(fstat) PASS(fsync) PASS(getauxval) PASS(getenv) \
    PASS(getpagesize) PASS(getuid) PASS(hypot) PASS(hypotf) PASS(ldexp) PASS(log) PASS(log1p) \
    PASS(logf) PASS(madvise) PASS(malloc) PASS(calloc) PASS(realloc) PASS(memchr) PASS(memcmp) PASS(memcpy) \
    PASS(memmove) PASS(memset) PASS(mmap) PASS(mprotect) PASS(mremap) PASS(munmap) PASS(nanf) \
    PASS(nanosleep) PASS(newlocale) PASS(open) PASS(openlog) PASS(pow) \
    PASS(powf) PASS(pthread_cond_broadcast) PASS(pthread_cond_destroy) PASS(pthread_cond_init) \
    PASS(pthread_cond_signal) PASS(pthread_cond_wait) PASS(pthread_create) PASS(pthread_equal) \
    PASS(pthread_getspecific) PASS(pthread_join) PASS(pthread_key_create) \
    PASS(pthread_key_delete) PASS(pthread_mutex_destroy) \
    PASS(pthread_mutex_lock) PASS(pthread_mutex_unlock) PASS(pthread_once) \
    PASS(pthread_rwlock_rdlock) PASS(pthread_rwlock_unlock) PASS(pthread_rwlock_wrlock) \
    PASS(pthread_self) PASS(pthread_setspecific) PASS(qsort) PASS(read) \
    PASS(rename) PASS(sincos) PASS(sincosf) PASS(sinf) PASS(snprintf) PASS(strcmp) \
    PASS(strerror) PASS(strerror_r) PASS(strlen) PASS(strncmp) PASS(strncpy) PASS(strnlen) PASS(strtod) \
    PASS(strtol) PASS(strtoll_l) PASS(strtoull_l) PASS(syscall) PASS(syslog) PASS(tanhf) \
    PASS(time) PASS(vasprintf) PASS(vsnprintf) PASS(write)

PASS_ALL

int *own___errno(void) { return &errno; }
OWN(__errno);

size_t own___strlen_chk(const char *text, size_t room) {
  (void)room;
  return strlen(text);
}
OWN(__strlen_chk);

/* The runtime asks for the API level before it uses XNNPACK; it asks for nothing else. */
int own___system_property_get(const char *name, char *value) {
  strcpy(value, strcmp(name, "ro.build.version.sdk") == 0 ? "35" : "");
  return (int)strlen(value);
}
OWN(__system_property_get);

void own_android_set_abort_message(const char *message) { fprintf(stderr, "%s\n", message); }
OWN(android_set_abort_message);

/*
 * A mutex has 40 bytes in Android's C library, and glibc uses no more of one, but clears 48 on Arm:
 * more than there is room for.
 */
int own_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes) {
  pthread_mutex_t fresh;
  int failed = pthread_mutex_init(&fresh, attributes);
  if (!failed) memcpy(mutex, &fresh, 40);
  return failed;
}
OWN(pthread_mutex_init);

/* Names of <unistd.h> have other numbers in Android's C library. */
long own_sysconf(int name) {
  switch (name) {
    case 0x27:
    case 0x28:
      return sysconf(_SC_PAGESIZE);
    case 0x60:
      return sysconf(_SC_NPROCESSORS_CONF);
    case 0x61:
      return sysconf(_SC_NPROCESSORS_ONLN);
    case 0x62:
      return sysconf(_SC_PHYS_PAGES);
    default:
      fprintf(stderr, "bionic.c: no sysconf(%d)\n", name);
      errno = EINVAL;
      return -1;
  }
}
OWN(sysconf);

/* Android's three standard streams are an array of structures of this size. */
#define STREAM_BYTES 152
char own___sF[3 * STREAM_BYTES];
OWN(__sF);

static FILE *stream(void *file) {
  long offset = (char *)file - own___sF;
  if (offset < 0 || offset >= (long)sizeof own___sF) return file;
  /* Stdout belongs to the protocol. */
  return offset == 0 ? stdin : stderr;
}

int own_vfprintf(void *file, const char *format, va_list values) {
  return vfprintf(stream(file), format, values);
}
OWN(vfprintf);

int own_fprintf(void *file, const char *format, ...) {
  va_list values;
  va_start(values, format);
  int written = vfprintf(stream(file), format, values);
  va_end(values);
  return written;
}
OWN(fprintf);

int own_fputc(int octet, void *file) { return fputc(octet, stream(file)); }
OWN(fputc);

size_t own_fwrite(const void *from, size_t size, size_t count, void *file) {
  return fwrite(from, size, count, stream(file));
}
OWN(fwrite);

size_t own_fread(void *to, size_t size, size_t count, void *file) {
  return fread(to, size, count, stream(file));
}
OWN(fread);

int own_fflush(void *file) { return fflush(file ? stream(file) : NULL); }
OWN(fflush);

int own_fclose(void *file) { return fclose(stream(file)); }
OWN(fclose);

int own_fileno(void *file) { return fileno(stream(file)); }
OWN(fileno);

/*
 * XNNPACK's AVX-512 kernels read their parameters from 64-byte boundaries, and this build of the
 * library asks for less: whether it crashes is the allocator's luck. Here it is lucky.
 */
#define LEAST_ALIGNMENT 64

void *own_memalign(size_t alignment, size_t size) {
  return memalign(alignment < LEAST_ALIGNMENT ? LEAST_ALIGNMENT : alignment, size);
}
OWN(memalign);

int own_posix_memalign(void **memory, size_t alignment, size_t size) {
  return posix_memalign(memory, alignment < LEAST_ALIGNMENT ? LEAST_ALIGNMENT : alignment, size);
}
OWN(posix_memalign);

/* What the runtime logs: on a phone the app reads it from logcat, here from this text. */
static char logged[1 << 16];

int __android_log_vprint(int priority, const char *tag, const char *format, va_list values) {
  (void)priority;
  (void)tag;
  size_t used = strlen(logged);
  int written = vsnprintf(logged + used, sizeof logged - used - 1, format, values);
  used = strlen(logged);
  logged[used] = '\n';
  logged[used + 1] = '\0';
  if (used + 2 >= sizeof logged) logged[used] = '\0';
  return written;
}

JNIEXPORT jstring JNICALL Java_io_mobilebench_desktop_RuntimeLog_read(JNIEnv *env, jclass type) {
  (void)type;
  return (*env)->NewStringUTF(env, logged);
}
