/* Runs a table of array operations for many steps and members, without the interpreter.

Each row of the table names an inner loop with the signature of NumPy's: one behind a ufunc of
NumPy or SciPy, which gives the same bits as in Python, or one of our own below. A row also says
where its operands lie in memory and by how much their addresses change from step to step and from
member to member. Only the size of the table is checked here: encoding.py has checked every address.

This file also shuffles rows, computes hashes of them, and applies Rosenblatt's rule to many rows. The
rule is not a table, because whether a row changes the weights depends on the rows before it. */

#include <Python.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <numpy/arrayobject.h>
#include <numpy/random/bitgen.h>
#include <numpy/ufuncobject.h>

typedef npy_intp Size;
typedef void (*Loop)(char **args, const Size *dims, const Size *steps, void *data);

/* Version of rows and loops, as in layout.py: increase both when the format or a loop changes. */
#define VERSION 10

/* Largest number of operands of a row, and of the sizes and strides that a loop reads. */
enum { OPERANDS = 5, DIMS = 4, STEPS = 9 };

/* All fields are as wide as a pointer: Python writes a row as an array of integers (layout.py). */
typedef struct {
    Loop loop;
    void *data;
    Size n_args;
    Size group;       /* number of rows, from this one on, that are run block by block; 0: none */
    Size first, last; /* range of members that it is run for */
    Size work;        /* approximate cost for one member, in elements */
    Size axis;        /* which of its sizes a team of threads divides; -1: none, one thread runs it */
    Size waits;       /* whether all threads have to finish the earlier rows first */
    Size outer[2];    /* numbers of repetitions of the loop, in two nested loops */
    char *args[OPERANDS];
    Size by_step[OPERANDS], by_member[OPERANDS], by_part[OPERANDS], by_outer[2][OPERANDS];
    Size dims[DIMS], steps[STEPS];
} Row;

/* Elements of a block, after which the next row of a group is run: operands stay in the L1 cache. */
#define BLOCK 1024
/* Elements after which the clock is read, between steps and within a step, and seconds after which
   to check for Ctrl-C. */
#define WORK 1000000
#define LONG_WORK (50 * WORK)
#define PATIENCE 0.03

#define LEAST(a, b) ((a) < (b) ? (a) : (b))

static double seconds(void) {
    struct timespec now;
    timespec_get(&now, TIME_UTC);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* The part of a row's divided size that a thread computes: its first element and its length. */
typedef struct { Size start, length; } Part;

/* Parts begin at multiples of this number of elements. */
enum { GRAIN = 16 };

static Part part_of(const Row *r, Size place, Size n_threads) {
    if (n_threads == 1 || r->axis < 0)
        return (Part){0, place ? 0 : r->dims[r->axis < 0 ? 0 : r->axis]};
    const Size n = r->dims[r->axis], grains = (n + GRAIN - 1) / GRAIN;
    const Size start = LEAST(n, place * grains / n_threads * GRAIN);
    const Size stop = LEAST(n, (place + 1) * grains / n_threads * GRAIN);
    return (Part){start, stop - start};
}

static void run_row(const Row *r, Size t, Size k, Part part) {
    char *args[OPERANDS];
    Size dims[DIMS];
    memcpy(dims, r->dims, sizeof dims);
    if (r->axis >= 0) dims[r->axis] = part.length;
    for (Size p = 0; p < r->outer[0]; p++)
        for (Size q = 0; q < r->outer[1]; q++) {
            for (Size j = 0; j < r->n_args; j++)
                args[j] = r->args[j] + t * r->by_step[j] + k * r->by_member[j]
                    + part.start * r->by_part[j] + p * r->by_outer[0][j] + q * r->by_outer[1][j];
            r->loop(args, dims, r->steps, r->data);
        }
}

/* Runs a group of rows over the same elements, block by block. */
static void run_group(const Row *rows, Size t, Size k, Part part) {
    char *args[OPERANDS];
    const Size stop = part.start + part.length;
    for (Size start = part.start; start < stop; start += BLOCK) {
        const Size n = LEAST(stop - start, BLOCK);
        for (const Row *r = rows; r < rows + rows->group; r++) {
            for (Size j = 0; j < r->n_args; j++)
                args[j] = r->args[j] + t * r->by_step[j] + k * r->by_member[j] + start * r->steps[j];
            r->loop(args, &n, r->steps, r->data);
        }
    }
}

/* A team of threads: either each runs a part of every row, or they run different members. They
   communicate through the words of an array. Words that change lie in different cache lines. */
#ifdef __GNUC__
#include <sched.h>
#define HAS_TEAMS 1
#define READ(WORD) __atomic_load_n(WORD, __ATOMIC_ACQUIRE)
#define WRITE(WORD, VALUE) __atomic_store_n(WORD, VALUE, __ATOMIC_RELEASE)
#define ADD(WORD, VALUE) __atomic_add_fetch(WORD, VALUE, __ATOMIC_SEQ_CST)
#define CLAIM(FLAG) (!READ(FLAG) && !__atomic_exchange_n(FLAG, 1, __ATOMIC_ACQ_REL))
#define GIVE_WAY() sched_yield()
#else
#define HAS_TEAMS 0
#define READ(WORD) (*(WORD))
#define WRITE(WORD, VALUE) (*(WORD) = (VALUE))
#define ADD(WORD, VALUE) (*(WORD) += (VALUE))
#define CLAIM(FLAG) (!*(FLAG) && (*(FLAG) = 1))
#define GIVE_WAY() ((void)0)
#endif
/* Indices of words: for threads that divide rows, for threads that run different members, for both. */
enum { N_THREADS = 0, ARRIVED = 16, ROUND = 32 };
enum { RUN = 0, LEFT = 16, INSIDE = 32 };
enum { STOPPED = 48, TEAM_WORDS = 64 };

/* How often a waiting thread checks its condition before it yields the processor. */
enum { LOOKS = 2000 };

/* Waits for the other threads; returns 0 if the team is stopped before all have arrived. */
static int meet(Size *team) {
    const Size round = READ(team + ROUND);
    if (ADD(team + ARRIVED, 1) == team[N_THREADS]) {
        WRITE(team + ARRIVED, 0);
        WRITE(team + ROUND, round + 1);
        return 1;
    }
    for (Size looks = 0; READ(team + ROUND) == round; looks++) {
        if (READ(team + STOPPED)) return 0;
        if (looks > LOOKS) GIVE_WAY();
    }
    return 1;
}

/* A table to be run for a range of steps. `taken` counts the steps of each member. Each row is divided
   among `n_threads`; `place` is the index of this thread. `begun` marks the members that a thread has
   begun, if threads run different members. */
typedef struct {
    const Row *rows;
    Size n_rows, n_members, first, last, *taken, *team, n_threads, place;
    char *begun;
} Run;

/* State of a thread that has released the interpreter's lock and checks for Ctrl-C now and then. */
typedef struct {
    PyThreadState *released;
    double looked;
    Size work; /* since the clock was last read */
} Watch;

/* Returns whether a signal handler has raised an exception; checks at most every PATIENCE seconds. */
static int is_interrupted(Watch *watch) {
    const double now = seconds();
    watch->work = 0;
    if (now >= watch->looked && now - watch->looked <= PATIENCE) return 0;
    watch->looked = now;
    PyEval_RestoreThread(watch->released);
    const int failed = PyErr_CheckSignals();
    watch->released = PyEval_SaveThread();
    return failed != 0;
}

/* How a run of steps ends. */
typedef enum { DONE, HALTED, INTERRUPTED } End;

/* Takes all steps of a member. */
static End take_steps(const Run *run, Size k, Watch *watch) {
    const Row *end = run->rows + run->n_rows;
    for (Size t = run->first; t < run->last; t++) {
        if (run->team && READ(run->team + STOPPED)) return HALTED;
        for (const Row *r = run->rows; r < end; r += r->group ? r->group : 1) {
            if (run->n_threads > 1 && r->waits && !meet(run->team)) return HALTED;
            /* Checked between steps, or within a very long step. */
            if (watch && watch->work >= (r == run->rows ? WORK : LONG_WORK) && is_interrupted(watch))
                return INTERRUPTED;
            if (k < r->first || k >= r->last) continue;
            const Part part = part_of(r, run->place, run->n_threads);
            if (part.length && r->group) run_group(r, t, k, part);
            else if (part.length) run_row(r, t, k, part);
            if (watch) watch->work += r->work;
        }
        if (!run->place) run->taken[k]++;
    }
    return DONE;
}

/* Takes all steps of a member, then those of the next, so that a network stays in the cache. */
static End run_all_members(const Run *run, Watch *watch) {
    End end = DONE;
    for (Size k = 0; k < run->n_members && end == DONE; k++)
        end = take_steps(run, k, run->place ? NULL : watch);
    return end;
}

/* Runs members until all have been begun. A thread first looks for members in its own part of the
   stack: it has run these in the last epoch, so they are in its cache. */
static End run_members_left(Size *team, double part, Watch *watch) {
    End end = DONE;
    for (Size k = -1; end == DONE && ADD(team + LEFT, -1) >= 0;) {
        /* LEFT was positive, so at least one member has not been begun. */
        const Run *run = (const Run *)READ(team + RUN);
        if (k < 0) k = (Size)(part * (double)run->n_members);
        while (!CLAIM(run->begun + k))
            k = k + 1 < run->n_members ? k + 1 : 0;
        end = take_steps(run, k, watch);
    }
    return end;
}

/* Runs all members together with the threads in follow_leader(). */
static End lead_members(const Run *given, Watch *watch) {
    Run run = *given;
    Size *team = run.team;
    /* An earlier run may have been interrupted. */
    WRITE(team + STOPPED, 0);
    run.begun = calloc((size_t)run.n_members, 1);
    if (!run.begun) return run_all_members(given, watch);
    WRITE(team + RUN, (Size)&run);
    WRITE(team + LEFT, run.n_members);
    End end = run_members_left(team, 0, watch);
    WRITE(team + STOPPED, end != DONE);
    /* No thread begins another member, but threads that are INSIDE still read the run. */
    ADD(team + LEFT, -run.n_members);
    for (Size looks = 0; ADD(team + INSIDE, 0); looks++) {
        if (looks <= LOOKS) continue;
        GIVE_WAY();
        /* Another thread may still have to run for long. */
        if (end == DONE && is_interrupted(watch)) {
            end = INTERRUPTED;
            WRITE(team + STOPPED, 1);
        }
    }
    free(run.begun);
    return end;
}

/* Runs members of each run that another thread leads, until there has been none for `patience`
   seconds. */
static void follow_leader(Size *team, double part, double patience) {
    double last = seconds();
    for (Size looks = 1;; looks++) {
        if (READ(team + LEFT) > 0) {
            ADD(team + INSIDE, 1);
            run_members_left(team, part, NULL);
            ADD(team + INSIDE, -1);
            last = seconds();
            looks = 0;
        } else if (looks > LOOKS || looks % 100 == 0) {
            const double now = seconds();
            if (now < last || now - last > patience) return;
            if (looks > LOOKS) GIVE_WAY();
        }
    }
}

/* Our own loops. Casts, copies and comparisons accept any strides, the others only adjacent elements. */

/* Where the dynamic linker can choose a version of a function, the loops that take most of the time
   are also compiled for wider registers. All versions give the same bits. */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) \
    && !defined(SKPERCEPTRON_SANITIZED)
#define WIDE __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define WIDE
#endif

/* Rows are gathered in random order, so they are prefetched some rows ahead. */
#if defined(__GNUC__)
#define FETCH(ADDRESS) __builtin_prefetch(ADDRESS)
#define FETCH_TO_L2(ADDRESS) __builtin_prefetch(ADDRESS, 0, 1)
#else
#define FETCH(ADDRESS) ((void)(ADDRESS))
#define FETCH_TO_L2(ADDRESS) ((void)(ADDRESS))
#endif
enum { ROWS_AHEAD = 4, CACHE_LINE = 64, LINES_AHEAD = 16 };

static Size clipped(Size row, Size n_rows) { return row < 0 ? 0 : LEAST(row, n_rows - 1); }

/* (from, n_bytes): prefetches at most the first LINES_AHEAD cache lines of some bytes. */
#define ANNOUNCE(NAME, FETCH) \
static void NAME(const char *from, Size n_bytes) { \
    const Size stop = LEAST(n_bytes, LINES_AHEAD * CACHE_LINE); \
    for (Size b = 0; b < stop; b += CACHE_LINE) FETCH(from + b); \
}
ANNOUNCE(announce, FETCH)
ANNOUNCE(announce_to_l2, FETCH_TO_L2)

/* Prefetches the row that is to be copied ROWS_AHEAD rows after the r-th. */
static void fetch_ahead(const char *x, const Size *rows, Size r, const Size *d, Size n_bytes) {
    if (r + ROWS_AHEAD < d[0])
        announce(x + clipped(rows[r + ROWS_AHEAD], d[2]) * n_bytes, n_bytes);
}

/* (X, rows, out); dims: rows to copy, bytes of a row, rows of X. A row number out of range
   counts as the nearest valid one, as in np.take(..., mode="clip"). */
static void gather(char **a, const Size *d, const Size *s, void *u) {
    const Size *rows = (const Size *)a[1];
    for (Size r = 0; r < d[0]; r++) {
        fetch_ahead(a[0], rows, r, d, d[1]);
        memcpy(a[2] + r * d[1], a[0] + clipped(rows[r], d[2]) * d[1], (size_t)d[1]);
    }
}

/* As gather(), with conversion from doubles to floats or back; dims[1]: columns. */
#define GATHER_AND_CAST(NAME, FROM, TO) \
WIDE static void NAME(char **a, const Size *d, const Size *s, void *u) { \
    const Size *rows = (const Size *)a[1]; \
    for (Size r = 0; r < d[0]; r++) { \
        fetch_ahead(a[0], rows, r, d, d[1] * (Size)sizeof(FROM)); \
        const FROM *restrict x = (const FROM *)a[0] + clipped(rows[r], d[2]) * d[1]; \
        TO *restrict o = (TO *)a[2] + r * d[1]; \
        for (Size c = 0; c < d[1]; c++) o[c] = (TO)x[c]; \
    } \
}
GATHER_AND_CAST(gather_narrow, double, float)
GATHER_AND_CAST(gather_widen, float, double)

#define CAST(NAME, FROM, TO) \
WIDE static void NAME(char **a, const Size *d, const Size *s, void *u) { \
    for (Size i = 0; i < d[0]; i++) \
        *(TO *)(a[1] + i * s[1]) = (TO)*(const FROM *)(a[0] + i * s[0]); \
}
CAST(narrow, double, float)
CAST(widen, float, double)

#define COPY(NAME, T) \
WIDE static void NAME(char **a, const Size *d, const Size *s, void *u) { \
    const Size n = d[0]; \
    T *o = (T *)a[1]; \
    if (s[1] == sizeof(T) && s[0] == 0) { \
        const T x = *(const T *)a[0]; \
        for (Size i = 0; i < n; i++) o[i] = x; \
    } else if (s[1] == sizeof(T) && s[0] == sizeof(T)) { \
        memmove(o, a[0], (size_t)n * sizeof(T)); \
    } else { \
        for (Size i = 0; i < n; i++) \
            *(T *)(a[1] + i * s[1]) = *(const T *)(a[0] + i * s[0]); \
    } \
}
COPY(copy_d, double)
COPY(copy_f, float)

/* (out): random numbers in [0, 1), as from Generator.random; data: the bit generator. */
static void uniform_d(char **a, const Size *d, const Size *s, void *u) {
    bitgen_t *source = (bitgen_t *)u;
    double *o = (double *)a[0];
    for (Size i = 0; i < d[0]; i++) o[i] = source->next_double(source->state);
}
static void uniform_f(char **a, const Size *d, const Size *s, void *u) {
    bitgen_t *source = (bitgen_t *)u;
    float *o = (float *)a[0];
    for (Size i = 0; i < d[0]; i++)
        o[i] = (float)(source->next_uint32(source->state) >> 8) * (1.0f / 16777216.0f);
}

/* (x, y, out): 1 where the comparison of x and y holds, else 0. */
#define COMPARISON(NAME, T, SIGN) \
WIDE static void NAME(char **a, const Size *d, const Size *s, void *u) { \
    const Size n = d[0]; \
    if (s[0] == sizeof(T) && s[1] == 0 && s[2] == sizeof(T)) { \
        const T *x = (const T *)a[0], y = *(const T *)a[1]; \
        T *o = (T *)a[2]; \
        for (Size i = 0; i < n; i++) o[i] = x[i] SIGN y ? (T)1 : (T)0; \
        return; \
    } \
    for (Size i = 0; i < n; i++) \
        *(T *)(a[2] + i * s[2]) = \
            *(const T *)(a[0] + i * s[0]) SIGN *(const T *)(a[1] + i * s[1]) ? (T)1 : (T)0; \
}
#define COMPARISONS(T, F) \
    COMPARISON(greater_##F, T, >) COMPARISON(greater_equal_##F, T, >=) \
    COMPARISON(less_##F, T, <) COMPARISON(less_equal_##F, T, <=)
COMPARISONS(double, d)
COMPARISONS(float, f)

/* Rows of an embedding table, by codes, which are integers in floats. A number that is not a code of
   the table, such as -1 or NaN, has a row of zeros. */
#define IS_CODE(X, LEVELS, T) ((X) >= 0 && (X) < (T)(LEVELS))

/* (table, codes, out); dims: codes, width, rows of the table; steps: bytes from code to code and
   from row to row of out. */
#define LOOK_UP(NAME, T) \
static void NAME(char **a, const Size *d, const Size *s, void *u) { \
    const size_t n_bytes = (size_t)d[1] * sizeof(T); \
    for (Size r = 0; r < d[0]; r++) { \
        const T code = *(const T *)(a[1] + r * s[0]); \
        char *o = a[2] + r * s[1]; \
        if (IS_CODE(code, d[2], T)) \
            memcpy(o, a[0] + (Size)code * (Size)n_bytes, n_bytes); \
        else \
            memset(o, 0, n_bytes); \
    } \
}
LOOK_UP(look_up_d, double)
LOOK_UP(look_up_f, float)

/* (gradient, codes, scratch, out): out is, for each code, the sum of the gradient's rows with this code,
   in their order, computed in scratch; dims: codes, width, rows of the table; steps: bytes from row to
   row of the gradient and from code to code. */
#define SUM_BY_CODE(NAME, T) \
WIDE static void NAME(char **a, const Size *d, const Size *s, void *u) { \
    const Size width = d[1], n = width * d[2]; \
    double *restrict sums = (double *)a[2]; \
    for (Size i = 0; i < n; i++) sums[i] = 0; \
    for (Size r = 0; r < d[0]; r++) { \
        const T code = *(const T *)(a[1] + r * s[1]); \
        if (!IS_CODE(code, d[2], T)) continue; \
        const T *restrict x = (const T *)(a[0] + r * s[0]); \
        double *restrict o = sums + (Size)code * width; \
        for (Size c = 0; c < width; c++) o[c] += (double)x[c]; \
    } \
    T *restrict out = (T *)a[3]; \
    for (Size i = 0; i < n; i++) out[i] = (T)sums[i]; \
}
SUM_BY_CODE(sum_by_code_d, double)
SUM_BY_CODE(sum_by_code_f, float)

#define OUTER(NAME, T) \
/* (a, b, out) as in NumPy's loop for matmul, which takes five times as long if a has one column and b
   one row. As there, 0 is added to products, so that no zero is negative. Rows of b and of out are
   contiguous. */ \
WIDE static void NAME(char **args, const Size *d, const Size *s, void *u) { \
    for (Size r = 0; r < d[0]; r++) \
        for (Size i = 0; i < d[1]; i++) { \
            const T x = *(const T *)(args[0] + r * s[0] + i * s[3]); \
            const T *restrict b = (const T *)(args[1] + r * s[1]); \
            T *restrict out = (T *)(args[2] + r * s[2] + i * s[7]); \
            for (Size j = 0; j < d[3]; j++) out[j] = x * b[j] + 0; \
        } \
}
OUTER(outer_d, double)
OUTER(outer_f, float)

/* Numbers whose exponentials are computed in one call; a softmax has fewer classes (layout.py). */
enum { EXPONENTIALS = 1024 };

#define SIGMOID(NAME, T) \
/* (z, out): 1 / (1 + exp(-z)) of adjacent elements; data: NumPy's exp. */ \
WIDE static void NAME(char **a, const Size *d, const Size *s, void *numpy_exp) { \
    T powers[EXPONENTIALS]; \
    char *both[] = {(char *)powers, (char *)powers}; \
    for (Size first = 0; first < d[0]; first += EXPONENTIALS) { \
        const T *z = (const T *)a[0] + first; \
        T *out = (T *)a[1] + first; \
        const Size n = LEAST(d[0] - first, EXPONENTIALS); \
        for (Size i = 0; i < n; i++) powers[i] = -z[i]; \
        ((Loop)numpy_exp)(both, &n, s, NULL); \
        for (Size i = 0; i < n; i++) out[i] = 1 / (powers[i] + 1); \
    } \
}
SIGMOID(sigmoid_d, double)
SIGMOID(sigmoid_f, float)

#define SOFTMAX(NAME, T) \
/* (z, out, largest, total): out is the softmax of z, largest and total are the largest number of a
   row and the sum of its exponentials, and may be the same array. dims: rows, classes; steps: bytes
   from class to class of z and of out; data: NumPy's exp. Rows are adjacent. */ \
WIDE static void NAME(char **a, const Size *d, const Size *s, void *numpy_exp) { \
    T powers[EXPONENTIALS]; \
    char *both[] = {(char *)powers, (char *)powers}; \
    const Size adjacent[] = {sizeof(T), sizeof(T)}, most = EXPONENTIALS / d[1]; \
    for (Size first = 0; first < d[0]; first += most) { \
        const Size n = LEAST(d[0] - first, most), size = n * d[1]; \
        T *largest = (T *)a[2] + first, *total = (T *)a[3] + first; \
        for (Size c = 0; c < d[1]; c++) { \
            const T *z = (const T *)(a[0] + c * s[0]) + first; \
            /* NaN counts as the largest number, as in np.maximum. */ \
            for (Size i = 0; i < n; i++) \
                largest[i] = !c || z[i] > largest[i] || z[i] != z[i] ? z[i] : largest[i]; \
        } \
        for (Size c = 0; c < d[1]; c++) { \
            const T *z = (const T *)(a[0] + c * s[0]) + first; \
            for (Size i = 0; i < n; i++) powers[c * n + i] = z[i] - largest[i]; \
        } \
        ((Loop)numpy_exp)(both, &size, adjacent, NULL); \
        for (Size i = 0; i < n; i++) total[i] = powers[i]; \
        for (Size c = 1; c < d[1]; c++) \
            for (Size i = 0; i < n; i++) total[i] += powers[c * n + i]; \
        for (Size c = 0; c < d[1]; c++) { \
            T *out = (T *)(a[1] + c * s[1]) + first; \
            for (Size i = 0; i < n; i++) out[i] = powers[c * n + i] / total[i]; \
        } \
    } \
}
SOFTMAX(softmax_d, double)
SOFTMAX(softmax_f, float)

#define ARITHMETIC(T, F, SQRT) \
/* (row, out): out += row; dims: rows, columns; steps[0]: bytes from row to row of out. */ \
WIDE static void add_row_##F(char **a, const Size *d, const Size *s, void *u) { \
    const T *restrict x = (const T *)a[0]; \
    for (Size r = 0; r < d[0]; r++) { \
        T *restrict o = (T *)(a[1] + r * s[0]); \
        for (Size c = 0; c < d[1]; c++) o[c] += x[c]; \
    } \
} \
/* (parameters, gradient, m, v, [beta_1, beta_2, epsilon, step size]) */ \
WIDE static void adam_##F(char **a, const Size *d, const Size *s, void *u) { \
    T *restrict p = (T *)a[0], *restrict m = (T *)a[2], *restrict v = (T *)a[3]; \
    const T *restrict g = (const T *)a[1]; \
    const T *c = (const T *)a[4]; \
    const T beta_1 = c[0], beta_2 = c[1], epsilon = c[2], step = c[3]; \
    for (Size i = 0; i < d[0]; i++) { \
        const T x = g[i], y = m[i] * beta_1 + x, z = v[i] * beta_2 + x * x; \
        m[i] = y; \
        v[i] = z; \
        p[i] -= y / (SQRT(z) + epsilon) * step; \
    } \
} \
/* (parameters, gradient, velocity, [learning rate, momentum]) */ \
WIDE static void sgd_##F(char **a, const Size *d, const Size *s, void *u) { \
    T *restrict p = (T *)a[0], *restrict v = (T *)a[2]; \
    const T *restrict g = (const T *)a[1]; \
    const T rate = ((const T *)a[3])[0], momentum = ((const T *)a[3])[1]; \
    for (Size i = 0; i < d[0]; i++) { \
        const T y = v[i] * momentum - g[i] * rate; \
        v[i] = y; \
        p[i] += y; \
    } \
} \
WIDE static void nesterov_##F(char **a, const Size *d, const Size *s, void *u) { \
    T *restrict p = (T *)a[0], *restrict v = (T *)a[2]; \
    const T *restrict g = (const T *)a[1]; \
    const T rate = ((const T *)a[3])[0], momentum = ((const T *)a[3])[1]; \
    for (Size i = 0; i < d[0]; i++) { \
        const T x = g[i] * rate, y = v[i] * momentum - x; \
        v[i] = y; \
        p[i] = p[i] - x + y * momentum; \
    } \
}
ARITHMETIC(double, d, sqrt)
ARITHMETIC(float, f, sqrtf)

/* Large matrix products of floats, faster than OpenBLAS's. As many columns of the second factor as fit
   in the cache are packed into adjacent memory, and multiplied by a few rows of the first factor at a
   time, with the sums in registers. Sums are divided into parts as in OpenBLAS, whose kernels for
   AVX-512 give the same bits. */
#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#include <immintrin.h>
#define AVX512 __attribute__((target("avx512f")))
#define UNROLL _Pragma("GCC unroll 16")
enum { LANES = 16, VECTORS = 4, COLUMNS = VECTORS * LANES, ROWS = 6 };
/* Parts of sums have at most DEPTH terms. PACKED is the number of floats, and COPIED the number of rows,
   whose copies stay in the cache. */
enum { DEPTH = 448, PACKED = 1 << 17, COPIED = 8 * ROWS };

/* The address of the first number, and the strides of rows and columns in numbers. */
typedef struct { float *x; Size by_row, by_column; } Matrix;

static Matrix at(Matrix a, Size i, Size j) {
    a.x += i * a.by_row + j * a.by_column;
    return a;
}

static __mmask16 lanes(Size n) { return (__mmask16)((1 << (n < 0 ? 0 : LEAST(n, LANES))) - 1); }

AVX512 static inline __m512 load(Size n, Matrix a) { return _mm512_maskz_loadu_ps(lanes(n), a.x); }

/* Transposes 16 x 16 numbers: swaps the off-diagonal blocks, then those of each smaller block. */
AVX512 static inline void transpose(__m512 *x) {
    UNROLL for (int half = LANES / 2; half; half /= 2) {
        int low __attribute__((vector_size(64))), high __attribute__((vector_size(64)));
        UNROLL for (int i = 0; i < LANES; i++) {
            low[i] = i & half ? LANES + i - half : i;
            high[i] = low[i] + half;
        }
        UNROLL for (int i = 0; i < LANES; i++) {
            if (i & half) continue;
            const __m512 y = x[i], z = x[i + half];
            x[i] = __builtin_shuffle(y, z, low);
            x[i + half] = __builtin_shuffle(y, z, high);
        }
    }
}

/* Copies b, (n, width), row by row, padded to COLUMNS with numbers that are not used. */
AVX512 static void pack(Matrix b, Size n, Size width, float *out) {
    for (Size k = 0; b.by_column == 1 && k < n; k++)
        for (Size j = 0; j < COLUMNS; j += LANES)
            _mm512_store_ps(out + k * COLUMNS + j, load(width - j, at(b, k, j)));
    for (Size j = 0; b.by_column != 1 && j < COLUMNS; j += LANES)
        for (Size k = 0; k < n; k += LANES) {
            __m512 x[LANES];
            UNROLL for (Size i = 0; i < LANES; i++)
                x[i] = load(n - k, at(b, k, LEAST(i + j, width - 1)));
            transpose(x);
            UNROLL for (Size i = 0; i < LANES; i++)
                _mm512_store_ps(out + (k + i) * COLUMNS + j, x[i]);
        }
}

/* Copies a, (n_rows, n), in groups of ROWS rows, each of them column by column. */
AVX512 static void copy_rows(Matrix a, Size n_rows, Size n, float *out) {
    for (Size k = 0; k < n; k++)
        for (Size i = 0; i < n_rows; i += ROWS) {
            const __mmask16 used = lanes(LEAST(n_rows - i, ROWS));
            const __m512 x = _mm512_maskz_loadu_ps(used, at(a, i, k).x);
            _mm512_mask_storeu_ps(out + i * n + k * ROWS, used, x);
        }
}

/* Writes a @ b, (m, width), for a, (m, n), and packed columns of b, to out, or adds it to out. */
AVX512 static void multiply(Matrix a, const float *b, Matrix out, Size m, Size n, Size width,
                            int adds) {
    const float *row[ROWS];
    __m512 sums[ROWS][VECTORS], y[VECTORS];
    UNROLL for (Size i = 0; i < ROWS; i++) {
        /* If there are fewer than ROWS rows, the last one is computed several times. */
        row[i] = at(a, LEAST(i, m - 1), 0).x;
        UNROLL for (Size j = 0; j < VECTORS; j++) {
            FETCH(at(out, LEAST(i, m - 1), j * LANES).x);
            sums[i][j] = _mm512_setzero_ps();
        }
    }
    for (Size k = 0; k < n; k++, b += COLUMNS) {
        UNROLL for (Size j = 0; j < VECTORS; j++) y[j] = _mm512_load_ps(b + j * LANES);
        UNROLL for (Size i = 0; i < ROWS; i++) {
            const __m512 x = _mm512_set1_ps(row[i][k * a.by_column]);
            UNROLL for (Size j = 0; j < VECTORS; j++)
                sums[i][j] = _mm512_fmadd_ps(x, y[j], sums[i][j]);
        }
    }
    UNROLL for (Size i = 0; i < ROWS; i++)
        UNROLL for (Size j = 0; i < m && j < VECTORS; j++) {
            const Matrix o = at(out, i, j * LANES);
            if (adds) sums[i][j] = _mm512_add_ps(sums[i][j], load(width - j * LANES, o));
            _mm512_mask_storeu_ps(o.x, lanes(width - j * LANES), sums[i][j]);
        }
}

/* (a, b, out) as in NumPy's loop for matmul, which is the data. Rows of out are contiguous, and so are
   the rows or the columns of a and of b. */
AVX512 static void product_f(char **args, const Size *d, const Size *s, void *numpy) {
    enum { F = sizeof(float), LINE = CACHE_LINE / F };
    const Size m = d[1], n = d[2], p = d[3];
    const int is_possible = __builtin_cpu_supports("avx512f");
    float *room = is_possible ? malloc((PACKED + COPIED * DEPTH + LINE) * F) : NULL;
    if (!room) ((Loop)numpy)(args, d, s, NULL);
    float *packed = room + LINE - (uintptr_t)room / F % LINE, *rows = packed + PACKED;
    for (Size r = 0; room && r < d[0]; r++)
        for (Size k = 0, depth; k < n; k += depth) {
            const Matrix a = {(float *)(args[0] + r * s[0] + k * s[4]), s[3] / F, s[4] / F};
            const Matrix b = {(float *)(args[1] + r * s[1] + k * s[5]), s[5] / F, s[6] / F};
            const Matrix out = {(float *)(args[2] + r * s[2]), s[7] / F, 1};
            depth = n - k >= 2 * DEPTH || n - k <= DEPTH ? LEAST(n - k, DEPTH)
                                                         : ((n - k) / 2 + LANES - 1) / LANES * LANES;
            const Size size = (depth + LANES - 1) / LANES * LANES * COLUMNS;
            const Size at_once = PACKED / size * COLUMNS;
            for (Size left = 0; left < p; left += at_once) {
                const Size right = LEAST(p, left + at_once);
                for (Size j = left; j < right; j += COLUMNS)
                    pack(at(b, 0, j), depth, p - j, packed + (j - left) / COLUMNS * size);
                for (Size i = 0; i < m; i += ROWS) {
                    Matrix some = at(a, i, 0);
                    /* Without a copy, each number of a row would be in another cache line. */
                    if (a.by_column > 1 && i % COPIED == 0)
                        copy_rows(some, LEAST(m - i, COPIED), depth, rows);
                    if (a.by_column > 1) some = (Matrix){rows + i % COPIED * depth, 1, ROWS};
                    for (Size j = left; j < right; j += COLUMNS)
                        multiply(some, packed + (j - left) / COLUMNS * size, at(out, i, j),
                                 LEAST(m - i, ROWS), depth, p - j, k > 0);
                }
            }
        }
    free(room);
}
#else
static void product_f(char **args, const Size *d, const Size *s, void *numpy) {
    ((Loop)numpy)(args, d, s, NULL);
}
#endif

/* Rosenblatt's rule: one row after another, each added to a unit's weights, times its amount, if the
   unit's response is wrong. The sign of an amount is the right response. The last weight is the bias,
   the weight of a constant. Scores are summed from the first number on, so that they have the same
   bits as in any other code that does so. */

/* Bytes of rows that need not be prefetched: dense ones of a level 2 cache, and sparse ones, which are
   short, of a level 1 cache. */
#define NEAR (1 << 19)
#define NEAR_SPARSE (1 << 15)

typedef struct {
    const void *numbers; /* those of dense rows, one after another, or the data of a CSR matrix */
    const void *columns, *starts; /* indices and indptr of a CSR matrix; NULL for dense rows */
    Size number, column; /* the sizes of a number and of a column index, in bytes */
    int is_far; /* whether the rows are too large for a fast cache, and so are prefetched */
    const Size *rows; /* indices of the rows to present, in order */
    const double *amounts; /* (n_rows, n_units), like wrong; begins at the unit's first amount */
    double *weight;
    char *wrong; /* gets 1 or 0 for each row; NULL to add all rows, whatever their scores */
    Size n_rows, n_columns, n_units;
    double constant;
} Visit;

/* Corrects the bias if the response is wrong; returns whether to correct the other weights, too. */
static int correct_if_wrong(const Visit *v, Size i, double score) {
    const double amount = v->amounts[i * v->n_units];
    double *bias = v->weight + v->n_columns;
    if (v->wrong) {
        score += *bias * v->constant;
        const int is_wrong = amount > 0 ? score <= 0 : score >= 0;
        v->wrong[i * v->n_units] = (char)is_wrong;
        if (!is_wrong) return 0;
    } else if (amount == 0)
        return 0;
    *bias += amount * v->constant;
    return 1;
}

/* Each addition depends on the one before it, so the scores of several rows are summed at the same
   time. Scores of rows after a wrong response are computed again, with the corrected weights. (On an
   AMD EPYC, an epoch of 100,000 x 100 doubles takes 6 ms, and 10.5 ms if the next rows are prefetched
   into the level 1 cache.) */
enum { AT_ONCE = 4 };

#define VISIT_DENSE(T, F) \
WIDE static void add_multiple_##F(double *restrict w, const T *restrict x, double a, Size n) { \
    for (Size c = 0; c < n; c++) w[c] += a * (double)x[c]; \
} \
static void visit_dense_##F(const Visit *v) { \
    const Size n = v->n_columns, last = v->n_rows - 1; \
    const T *numbers = (const T *)v->numbers; \
    double *w = v->weight; \
    for (Size i = 0; !v->wrong && i <= last; i++) \
        if (correct_if_wrong(v, i, 0)) \
            add_multiple_##F(w, numbers + v->rows[i] * n, v->amounts[i * v->n_units], n); \
    for (Size i = 0; v->wrong && i <= last;) { \
        const T *x[AT_ONCE]; \
        for (Size j = 0; j < AT_ONCE; j++) \
            x[j] = numbers + v->rows[LEAST(i + j, last)] * n; \
        for (Size j = AT_ONCE; v->is_far && j < 2 * AT_ONCE; j++) \
            announce_to_l2((const char *)(numbers + v->rows[LEAST(i + j, last)] * n), \
                           n * (Size)sizeof(T)); \
        const T *x0 = x[0], *x1 = x[1], *x2 = x[2], *x3 = x[3]; \
        double a = 0, b = 0, c = 0, d = 0; \
        for (Size k = 0; k < n; k++) { \
            const double y = w[k]; \
            a += y * (double)x0[k]; \
            b += y * (double)x1[k]; \
            c += y * (double)x2[k]; \
            d += y * (double)x3[k]; \
        } \
        const double scores[AT_ONCE] = {a, b, c, d}; \
        for (Size j = 0, m = LEAST(AT_ONCE, v->n_rows - i); j < m; j++, i++) \
            if (correct_if_wrong(v, i, scores[j])) { \
                add_multiple_##F(w, x[j], v->amounts[i++ * v->n_units], n); \
                break; \
            } \
    } \
}
VISIT_DENSE(double, d)
VISIT_DENSE(float, f)

#define VISIT_SPARSE(T, F, I, BITS) \
static void visit_sparse_##F##BITS(const Visit *v) { \
    double *w = v->weight; \
    for (Size i = 0; i < v->n_rows; i++) { \
        if (v->is_far) { \
            const Size ahead = v->rows[LEAST(i + ROWS_AHEAD, v->n_rows - 1)]; \
            const I place = ((const I *)v->starts)[ahead]; \
            FETCH((const T *)v->numbers + place); \
            FETCH((const I *)v->columns + place); \
        } \
        const I *starts = (const I *)v->starts + v->rows[i]; \
        const T *x = (const T *)v->numbers + starts[0]; \
        const I *columns = (const I *)v->columns + starts[0]; \
        const Size n = (Size)(starts[1] - starts[0]); \
        double score = 0; \
        for (Size k = 0; v->wrong && k < n; k++) score += w[columns[k]] * (double)x[k]; \
        if (!correct_if_wrong(v, i, score)) continue; \
        const double amount = v->amounts[i * v->n_units]; \
        for (Size k = 0; k < n; k++) w[columns[k]] += amount * (double)x[k]; \
    } \
}
VISIT_SPARSE(double, d, int32_t, 32)
VISIT_SPARSE(double, d, int64_t, 64)
VISIT_SPARSE(float, f, int32_t, 32)
VISIT_SPARSE(float, f, int64_t, 64)

static void visit_by_a_unit(const Visit *v) {
    const int is_double = v->number == sizeof(double);
    if (!v->starts) (is_double ? visit_dense_d : visit_dense_f)(v);
    else if (v->column == sizeof(int32_t)) (is_double ? visit_sparse_d32 : visit_sparse_f32)(v);
    else (is_double ? visit_sparse_d64 : visit_sparse_f64)(v);
}

/* Numbers of the dense rows that are presented to one unit after another while they are in the cache
   (2 MB). */
#define CACHED (1 << 18)

/* Presents some of the rows to all units; returns the number of wrong responses. */
static Size visit_rows(const Visit *all, Size first, Size last) {
    const Size at_once = all->starts ? last - first : CACHED / (all->n_columns + 1) + 1;
    const Size begin = first * all->n_units, end = last * all->n_units;
    for (; first < last; first += at_once)
        for (Size unit = 0; unit < all->n_units; unit++) {
            Visit v = *all;
            v.n_rows = LEAST(at_once, last - first);
            v.rows += first;
            v.amounts += first * v.n_units + unit;
            v.weight += unit * (v.n_columns + 1);
            if (v.wrong) v.wrong += first * v.n_units + unit;
            visit_by_a_unit(&v);
        }
    Size n_wrong = 0;
    for (Size i = begin; all->wrong && i < end; i++) n_wrong += all->wrong[i];
    return n_wrong;
}

/* The hash of a row of numbers, as in engine/fingerprints.py: the sum of their scrambled bits, each
   times its multiplier. Adding 0.0 turns -0.0 into 0.0. */

static uint64_t scrambled(uint64_t word) {
    word = (word ^ (word >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    word = (word ^ (word >> 27)) * UINT64_C(0x94D049BB133111EB);
    return word ^ (word >> 31);
}

#define HASH(T, F) \
WIDE static uint64_t hash_##F(const void *numbers, const uint64_t *multipliers, Size n) { \
    const T *x = (const T *)numbers; \
    uint64_t sum = 0; \
    for (Size k = 0; k < n; k++) { \
        const double number = (double)x[k] + 0.0; \
        uint64_t word; \
        memcpy(&word, &number, sizeof word); \
        sum += scrambled(word) * multipliers[k]; \
    } \
    return sum; \
}
HASH(double, d)
HASH(float, f)

/* Hashes dense rows, with a multiplier for each column; or, with starts, rows of a CSR matrix, with a
   multiplier for each stored number. Returns whether the starts are valid. */
static int hash_all(const char *numbers, Size size, Size n_numbers, const uint64_t *multipliers,
                    Size n_multipliers, const Size *starts, uint64_t *hashes, Size n_rows) {
    for (Size i = 0; i < n_rows; i++) {
        const Size first = starts ? starts[i] : i * n_multipliers;
        const Size last = starts ? starts[i + 1] : first + n_multipliers;
        if (first < 0 || last < first || last > n_numbers) return 0;
        const uint64_t *own = multipliers + (starts ? first : 0);
        hashes[i] = (size == sizeof(double) ? hash_d : hash_f)(numbers + first * size, own,
                                                               last - first);
    }
    return 1;
}

#define BOTH(NAME) {#NAME "_d", NAME##_d}, {#NAME "_f", NAME##_f}
static const struct { const char *name; Loop loop; } OWN_LOOPS[] = {
    {"gather", gather}, {"gather_narrow", gather_narrow}, {"gather_widen", gather_widen},
    {"narrow", narrow}, {"widen", widen},
    BOTH(uniform), BOTH(copy), BOTH(greater), BOTH(greater_equal), BOTH(less), BOTH(less_equal),
    BOTH(add_row), BOTH(outer), BOTH(sigmoid), BOTH(softmax), BOTH(adam), BOTH(sgd), BOTH(nesterov),
    BOTH(look_up), BOTH(sum_by_code), {"product_f", product_f},
};

/* Properties of arrays, which encoding.py needs for every operand of every call. */

/* The address after the last element of an array, if no stride is negative. */
static const char *behind(PyArrayObject *x) {
    const char *end = PyArray_BYTES(x) + PyArray_ITEMSIZE(x);
    for (int i = 0; i < PyArray_NDIM(x); i++)
        end += (PyArray_DIM(x, i) - 1) * PyArray_STRIDE(x, i);
    return end;
}

static int has_elements_in_order(PyArrayObject *x) {
    for (int i = 0; i < PyArray_NDIM(x); i++)
        if (PyArray_DIM(x, i) == 0 || PyArray_STRIDE(x, i) < 0) return 0;
    return 1;
}

static int are_laid_out_alike(PyArrayObject *x, PyArrayObject *y) {
    const int n = PyArray_NDIM(x);
    return PyArray_NDIM(y) == n && PyArray_CompareLists(PyArray_DIMS(x), PyArray_DIMS(y), n)
        && PyArray_CompareLists(PyArray_STRIDES(x), PyArray_STRIDES(y), n);
}

/* The array that owns the memory of a view; a borrowed reference. */
static PyArrayObject *owner(PyArrayObject *x) {
    for (PyObject *base; (base = PyArray_BASE(x)) && PyArray_Check(base);)
        x = (PyArrayObject *)base;
    return x;
}

static PyObject *owner_of(PyObject *module, PyObject *x) {
    if (!PyArray_Check(x)) {
        PyErr_SetString(PyExc_TypeError, "owner_of() needs an array.");
        return NULL;
    }
    return Py_NewRef((PyObject *)owner((PyArrayObject *)x));
}

static PyObject *address(PyObject *module, PyObject *x) {
    if (!PyArray_Check(x)) {
        PyErr_SetString(PyExc_TypeError, "address() needs an array.");
        return NULL;
    }
    return PyLong_FromVoidPtr(PyArray_DATA((PyArrayObject *)x));
}

static PyObject *is_plain(PyObject *module, PyObject *args) {
    PyObject *object, *dtype;
    if (!PyArg_ParseTuple(args, "OO!", &object, &PyArrayDescr_Type, &dtype)) return NULL;
    PyArrayObject *x = (PyArrayObject *)object;
    return PyBool_FromLong(PyArray_CheckExact(object)
                           && PyArray_EquivTypes(PyArray_DESCR(x), (PyArray_Descr *)dtype)
                           && PyArray_ISNOTSWAPPED(x) && PyArray_ISALIGNED(x)
                           && has_elements_in_order(x));
}

static PyObject *distance(PyObject *module, PyObject *args) {
    PyArrayObject *x, *y;
    if (!PyArg_ParseTuple(args, "OO", &x, &y)) return NULL;
    if (!PyArray_CheckExact(x) || !PyArray_CheckExact(y)) Py_RETURN_NONE;
    const int flags = NPY_ARRAY_WRITEABLE | NPY_ARRAY_ALIGNED;
    if (!are_laid_out_alike(x, y) || (PyArray_FLAGS(x) ^ PyArray_FLAGS(y)) & flags || owner(x) != owner(y)
        || !PyArray_EquivTypes(PyArray_DESCR(x), PyArray_DESCR(y)))
        Py_RETURN_NONE;
    return PyLong_FromSsize_t(PyArray_BYTES(y) - PyArray_BYTES(x));
}

/* An axis along which a loop is repeated: its length, and the stride of each operand. */
typedef struct { Size length, moves[OPERANDS]; } Axis;
enum { MOST_AXES = 8 };

/* Writes the axes of the last operand, with the strides of all operands, broadcast to it; returns the
   number of axes, or -1 if an operand cannot be broadcast. */
static int broadcast(PyArrayObject **x, Size n, Axis *axes) {
    PyArrayObject *out = x[n - 1];
    const int n_axes = PyArray_NDIM(out);
    for (int i = 0; i < n_axes; i++) {
        axes[i].length = PyArray_DIM(out, i);
        for (Size j = 0; j < n; j++) {
            const int extra = n_axes - PyArray_NDIM(x[j]);
            if (extra < 0) return -1;
            const Size length = i < extra ? 1 : PyArray_DIM(x[j], i - extra);
            if (length != 1 && length != axes[i].length) return -1;
            axes[i].moves[j] = length == 1 ? 0 : PyArray_STRIDE(x[j], i - extra);
        }
        if (axes[i].length > 1 && !axes[i].moves[n - 1]) return -1;
    }
    return n_axes;
}

/* Sorts axes by the stride of the last operand, the smallest one last, joins axes that can be run as
   one, and leaves out axes of length 1. Returns the number of axes that remain. */
static int joined(Axis *axes, int n_axes, Size n) {
    int m = 0;
    for (int i = 0; i < n_axes; i++) {
        const Axis axis = axes[i];
        if (axis.length == 1) continue;
        int place = m++;
        for (; place && axes[place - 1].moves[n - 1] < axis.moves[n - 1]; place--)
            axes[place] = axes[place - 1];
        axes[place] = axis;
    }
    int last = 0;
    for (int i = 1; i < m; i++) {
        int is_one = 1;
        for (Size j = 0; j < n; j++)
            is_one &= axes[last].moves[j] == axes[i].length * axes[i].moves[j];
        if (is_one) {
            axes[i].length *= axes[last].length;
            axes[last] = axes[i];
        } else
            axes[++last] = axes[i];
    }
    return m ? last + 1 : 0;
}

static PyObject *integers(const Size *x, Size n) {
    PyObject *found = PyTuple_New(n);
    for (Size i = 0; found && i < n; i++) {
        PyObject *number = PyLong_FromSsize_t(x[i]);
        if (!number || PyTuple_SetItem(found, i, number) < 0) Py_CLEAR(found);
    }
    return found;
}

static PyObject *owners(PyArrayObject **x, Size n) {
    PyObject *found = PyTuple_New(n);
    for (Size i = 0; found && i < n; i++)
        if (PyTuple_SetItem(found, i, Py_NewRef((PyObject *)owner(x[i]))) < 0) Py_CLEAR(found);
    return found;
}

static PyObject *outer_axes(const Axis *axes, int n_axes, Size n) {
    PyObject *found = PyTuple_New(n_axes);
    for (int i = 0; found && i < n_axes; i++) {
        PyObject *axis = Py_BuildValue("nN", axes[i].length, integers(axes[i].moves, n));
        if (!axis || PyTuple_SetItem(found, i, axis) < 0) Py_CLEAR(found);
    }
    return found;
}

/* Whether an operand may partly overlap the last one, which is written. */
static int may_meet(PyArrayObject **x, Size n) {
    PyArrayObject *out = x[n - 1];
    for (Size j = 0; j < n - 1; j++)
        if (owner(x[j]) == owner(out)
            && !(PyArray_DATA(x[j]) == PyArray_DATA(out) && are_laid_out_alike(x[j], out))
            && PyArray_BYTES(x[j]) < behind(out) && PyArray_BYTES(out) < behind(x[j]))
            return 1;
    return 0;
}

static PyObject *spread(PyObject *module, PyObject *args) {
    PyObject *operands;
    Size n_members;
    if (!PyArg_ParseTuple(args, "O!n", &PyList_Type, &operands, &n_members)) return NULL;
    const Size n = PyList_Size(operands);
    PyArrayObject *x[OPERANDS];
    if (n < 1 || n > OPERANDS) Py_RETURN_NONE;
    for (Size j = 0; j < n; j++) {
        PyObject *operand = PyList_GetItem(operands, j);
        if (!PyArray_CheckExact(operand)) Py_RETURN_NONE;
        x[j] = (PyArrayObject *)operand;
        if (PyArray_NDIM(x[j]) > MOST_AXES || !has_elements_in_order(x[j])) Py_RETURN_NONE;
    }
    Axis found[MOST_AXES], *axes = found;
    int n_axes = broadcast(x, n, axes);
    if (n_axes < 0 || !PyArray_ISWRITEABLE(x[n - 1])) Py_RETURN_NONE;
    Size addresses[OPERANDS], n_moving = 0, by_member[OPERANDS];
    for (Size j = 0; j < n; j++) addresses[j] = (Size)PyArray_DATA(x[j]);
    if (n_members > 1) {
        if (!n_axes || axes->length != n_members) Py_RETURN_NONE;
        memcpy(by_member, axes->moves, sizeof by_member);
        n_moving = n;
        axes++;
        n_axes--;
    }
    n_axes = joined(axes, n_axes, n);
    Axis inner = {1, {0}};
    if (n_axes) inner = axes[--n_axes];
    if (n_axes > 2) Py_RETURN_NONE;
    return Py_BuildValue("NnNnNNNN", integers(addresses, n), inner.length, integers(inner.moves, n),
                         PyArray_SIZE(x[n - 1]) / n_members, integers(by_member, n_moving),
                         outer_axes(axes, n_axes, n), owners(x, n),
                         PyBool_FromLong(may_meet(x, n)));
}

/* The functions that Python calls. */

static PyObject *own_loops(PyObject *module, PyObject *unused) {
    PyObject *found = PyDict_New();
    for (size_t i = 0; found && i < sizeof OWN_LOOPS / sizeof *OWN_LOOPS; i++) {
        PyObject *address = PyLong_FromVoidPtr((void *)OWN_LOOPS[i].loop);
        if (!address || PyDict_SetItemString(found, OWN_LOOPS[i].name, address) < 0)
            Py_CLEAR(found);
        Py_XDECREF(address);
    }
    return found;
}

static PyObject *inner_loop(PyObject *module, PyObject *args) {
    PyObject *object;
    Py_ssize_t i;
    if (!PyArg_ParseTuple(args, "On", &object, &i)) return NULL;
    if (!PyObject_TypeCheck(object, &PyUFunc_Type)) {
        PyErr_SetString(PyExc_TypeError, "inner_loop() needs a ufunc.");
        return NULL;
    }
    const PyUFuncObject *ufunc = (const PyUFuncObject *)object;
    if (i < 0 || i >= ufunc->ntypes || !ufunc->functions || !ufunc->functions[i]) {
        PyErr_SetString(PyExc_IndexError, "the ufunc has no such loop.");
        return NULL;
    }
    void *data = ufunc->data ? (void *)ufunc->data[i] : NULL;
    return Py_BuildValue("NN", PyLong_FromVoidPtr((void *)ufunc->functions[i]),
                         PyLong_FromVoidPtr(data));
}

/* Runs a table with a function that runs either all members, or some of them while other threads run
   the rest. Only in the first case do the threads of a team divide rows. */
static PyObject *run_table(PyObject *args, End (*members)(const Run *, Watch *)) {
    Py_buffer table, taken, team = {0};
    Run r = {0};
    if (!PyArg_ParseTuple(args, "y*w*nn|z*n", &table, &taken, &r.first, &r.last, &team, &r.place))
        return NULL;
    End end = INTERRUPTED;
    if (table.len % sizeof(Row) || taken.len % sizeof(Size)
        || (team.buf && (team.readonly || team.len != TEAM_WORDS * sizeof(Size))))
        PyErr_SetString(PyExc_ValueError, "The table, the counts or the team have another size.");
    else {
        r.rows = table.buf;
        r.n_rows = table.len / sizeof(Row);
        r.taken = taken.buf;
        r.n_members = taken.len / sizeof(Size);
        r.team = team.buf;
        r.n_threads = r.team && members == run_all_members ? r.team[N_THREADS] : 1;
        Watch watch = {PyEval_SaveThread(), seconds(), 0};
        end = members(&r, &watch);
        PyEval_RestoreThread(watch.released);
    }
    PyBuffer_Release(&table);
    PyBuffer_Release(&taken);
    PyBuffer_Release(&team);
    if (end == INTERRUPTED) return NULL;
    Py_RETURN_NONE;
}

static PyObject *run(PyObject *module, PyObject *args) { return run_table(args, run_all_members); }

static PyObject *lead(PyObject *module, PyObject *args) {
    if (PyTuple_Size(args) == 5 && PyTuple_GetItem(args, 4) != Py_None)
        return run_table(args, lead_members);
    PyErr_SetString(PyExc_TypeError, "lead() takes 5 arguments, the last of which is a team.");
    return NULL;
}

static PyObject *follow(PyObject *module, PyObject *args) {
    Py_buffer team;
    double part, patience;
    if (!PyArg_ParseTuple(args, "w*dd", &team, &part, &patience)) return NULL;
    const int fits = team.len == TEAM_WORDS * sizeof(Size) && part >= 0 && part < 1;
    if (fits) {
        Py_BEGIN_ALLOW_THREADS
        follow_leader(team.buf, part, patience);
        Py_END_ALLOW_THREADS
    } else
        PyErr_SetString(PyExc_ValueError,
                        "follow() got a team of another size, or a part not in [0, 1).");
    PyBuffer_Release(&team);
    if (!fits) return NULL;
    Py_RETURN_NONE;
}

static PyObject *visit(PyObject *module, PyObject *args) {
    enum { NUMBERS, COLUMNS, STARTS, ROWS, AMOUNTS, WEIGHT, WRONG, MISTAKES, BUFFERS };
    Py_buffer b[BUFFERS];
    Visit v;
    if (!PyArg_ParseTuple(args, "y*z*z*y*y*w*z*w*d", &b[NUMBERS], &b[COLUMNS], &b[STARTS],
                          &b[ROWS], &b[AMOUNTS], &b[WEIGHT], &b[WRONG], &b[MISTAKES], &v.constant))
        return NULL;
    v.numbers = b[NUMBERS].buf;
    v.columns = b[COLUMNS].buf;
    v.starts = b[STARTS].buf;
    v.number = b[NUMBERS].itemsize;
    v.is_far = b[NUMBERS].len > (v.starts ? NEAR_SPARSE : NEAR);
    v.column = v.starts ? b[STARTS].itemsize : 0;
    v.rows = b[ROWS].buf;
    v.amounts = b[AMOUNTS].buf;
    v.weight = b[WEIGHT].buf;
    v.wrong = b[WRONG].buf;
    v.n_rows = b[ROWS].len / (Size)sizeof(Size);
    const Size n_amounts = b[AMOUNTS].len / (Size)sizeof(double);
    const Size n_weights = b[WEIGHT].len / (Size)sizeof(double);
    const Size n_epochs = b[MISTAKES].len / (Size)sizeof(Size);
    v.n_units = v.n_rows ? n_amounts / v.n_rows : 1;
    v.n_columns = v.n_units ? n_weights / v.n_units - 1 : -1;
    const int fits = v.n_columns >= 0 && b[ROWS].itemsize == (Size)sizeof(Size)
        && n_amounts == v.n_rows * v.n_units
        && n_weights == v.n_units * (v.n_columns + 1) && n_epochs && v.n_rows % n_epochs == 0
        && (!v.wrong || (b[WRONG].len == n_amounts && !b[WRONG].readonly));
    if (fits) {
        const Size length = v.n_rows / n_epochs;
        Size *mistakes = b[MISTAKES].buf;
        Py_BEGIN_ALLOW_THREADS
        for (Size e = 0; e < n_epochs; e++) {
            mistakes[e] = visit_rows(&v, e * length, (e + 1) * length);
            if (v.wrong && !mistakes[e]) break;
        }
        Py_END_ALLOW_THREADS
    } else
        PyErr_SetString(PyExc_ValueError, "visit() got rows, amounts or answers of another size.");
    for (int i = 0; i < BUFFERS; i++)
        PyBuffer_Release(&b[i]);
    if (!fits) return NULL;
    Py_RETURN_NONE;
}

/* Exchanges each row, from the last one on, with a random one before it or itself. As in NumPy, a
   number is drawn again until its lowest bits are in range. */
static void shuffle_rows(Size *rows, Size n, bitgen_t *source) {
    uint32_t mask = UINT32_MAX;
    for (Size i = n - 1; i > 0; i--) {
        while ((Size)(mask >> 1) >= i) mask >>= 1;
        Size j;
        do j = (Size)(source->next_uint32(source->state) & mask);
        while (j > i);
        const Size row = rows[i];
        rows[i] = rows[j];
        rows[j] = row;
    }
}

static PyObject *shuffle(PyObject *module, PyObject *args) {
    Py_buffer rows;
    PyObject *capsule;
    if (!PyArg_ParseTuple(args, "w*O", &rows, &capsule)) return NULL;
    bitgen_t *source = PyCapsule_GetPointer(capsule, "BitGenerator");
    const int fits = rows.itemsize == (Size)sizeof(Size) && rows.len / rows.itemsize <= UINT32_MAX;
    if (source && fits)
        shuffle_rows(rows.buf, rows.len / rows.itemsize, source);
    else if (source)
        PyErr_SetString(PyExc_ValueError, "shuffle() got rows of another type, or too many.");
    PyBuffer_Release(&rows);
    if (!source || !fits) return NULL;
    Py_RETURN_NONE;
}

static PyObject *hash_rows(PyObject *module, PyObject *args) {
    enum { NUMBERS, MULTIPLIERS, STARTS, HASHES, BUFFERS };
    Py_buffer b[BUFFERS];
    if (!PyArg_ParseTuple(args, "y*y*z*w*", &b[NUMBERS], &b[MULTIPLIERS], &b[STARTS], &b[HASHES]))
        return NULL;
    const Size n_numbers = b[NUMBERS].len / b[NUMBERS].itemsize;
    const Size n_multipliers = b[MULTIPLIERS].len / (Size)sizeof(uint64_t);
    const Size n_starts = b[STARTS].len / (Size)sizeof(Size);
    const Size n_rows = b[HASHES].len / (Size)sizeof(uint64_t);
    int fits = b[STARTS].buf ? n_starts == n_rows + 1 && n_multipliers == n_numbers
                             : n_rows * n_multipliers == n_numbers;
    if (fits) {
        Py_BEGIN_ALLOW_THREADS
        fits = hash_all(b[NUMBERS].buf, b[NUMBERS].itemsize, n_numbers, b[MULTIPLIERS].buf,
                        n_multipliers, b[STARTS].buf, b[HASHES].buf, n_rows);
        Py_END_ALLOW_THREADS
    }
    for (int i = 0; i < BUFFERS; i++)
        PyBuffer_Release(&b[i]);
    if (fits) Py_RETURN_NONE;
    PyErr_SetString(PyExc_ValueError, "hash_rows() got arrays that do not fit each other.");
    return NULL;
}

static PyMethodDef METHODS[] = {
    {"own_loops", own_loops, METH_NOARGS,
     "own_loops()\n--\n\nReturn the addresses of this module's loops by name."},
    {"inner_loop", inner_loop, METH_VARARGS,
     "inner_loop(ufunc, i, /)\n--\n\nReturn the addresses of a ufunc's i-th loop and of its data."},
    {"owner_of", owner_of, METH_O,
     "owner_of(x, /)\n--\n\nReturn the array that owns the memory of an array."},
    {"address", address, METH_O, "address(x, /)\n--\n\nReturn the address of an array's first element."},
    {"is_plain", is_plain, METH_VARARGS,
     "is_plain(x, dtype, /)\n--\n\n"
     "Tell whether an operand is an array that a loop for this dtype can read."},
    {"distance", distance, METH_VARARGS,
     "distance(x, y, /)\n--\n\n"
     "Return the distance in bytes between two views of an array's memory that are otherwise equal;\n"
     "None if they are not."},
    {"spread", spread, METH_VARARGS,
     "spread(arrays, n_members, /)\n--\n\n"
     "Describe how a loop runs over operands that are broadcast to the last one.\n\n"
     "Returns addresses, length and strides of the loop, the number of elements of a member, the\n"
     "strides from member to member, up to two (length, strides) of repetitions, the owners of the\n"
     "memory, and whether an operand may overlap the last one; None if there is no such loop."},
    {"run", run, METH_VARARGS,
     "run(table, taken, first, last, team=None, place=0, /)\n--\n\n"
     "Run a table for the steps first to last - 1 of all members.\n\n"
     "Counts in ``taken`` how many steps each member has taken. ``team`` is the array that threads\n"
     "share if they divide rows (team.py): their number, and whether to stop. ``place`` is the index\n"
     "of this thread."},
    {"lead", lead, METH_VARARGS,
     "lead(table, taken, first, last, team, /)\n--\n\n"
     "Run a table for the steps first to last - 1 of all members, together with threads that\n"
     "follow: each runs some of the members."},
    {"follow", follow, METH_VARARGS,
     "follow(team, part, patience, /)\n--\n\n"
     "Run members for the thread that leads the team, until there have been none for ``patience``\n"
     "seconds.\n\n"
     "``part``, from 0 to 1, is the place in the stack where to look for members first."},
    {"visit", visit, METH_VARARGS,
     "visit(numbers, columns, starts, rows, amounts, weight, wrong, mistakes, constant, /)\n--\n\n"
     "Correct each unit's weights at each row with a wrong response, one row after another; if\n"
     "``wrong`` is None, at all rows.\n\n"
     "``rows`` holds the rows of as many epochs as ``mistakes`` has elements. Training ends after\n"
     "an epoch without a mistake."},
    {"shuffle", shuffle, METH_VARARGS,
     "shuffle(rows, source, /)\n--\n\n"
     "Shuffle row numbers like RandomState.shuffle; ``source`` is the capsule of a bit generator."},
    {"hash_rows", hash_rows, METH_VARARGS,
     "hash_rows(numbers, multipliers, starts, hashes, /)\n--\n\n"
     "Write a hash of each row; without ``starts``, of dense rows."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef MODULE = {
    PyModuleDef_HEAD_INIT, "_steps", "Tables of array operations, run without the interpreter.", 0,
    METHODS, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__steps(void) {
    PyObject *module = PyModule_Create(&MODULE);
    if (!module) return NULL;
#ifdef Py_GIL_DISABLED
    /* Functions keep no state. Objects whose references they borrow, such as the list for spread(),
       belong to the calling thread. */
    PyUnstable_Module_SetGIL(module, Py_MOD_GIL_NOT_USED);
#endif
    import_array();
    import_umath1(NULL);
    if (PyModule_AddIntConstant(module, "VERSION", VERSION) < 0
        || PyModule_AddIntConstant(module, "ROW_WORDS", sizeof(Row) / sizeof(Size)) < 0
        || PyModule_AddIntConstant(module, "HAS_TEAMS", HAS_TEAMS) < 0)
        return NULL;
    return module;
}
