// SPDX-License-Identifier: BSD-2-Clause
// What the generated C++ is made of: vectors of VL lanes, which a compiler turns into registers of AVX-512, AVX2, or
// whatever the machine has, and numbers of more than 64 bits.
#pragma once
#include <cstdint>
#include <cstring>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t i64;

#if defined(__AVX512BW__)
constexpr int VL = 32;
#elif defined(__AVX2__)
constexpr int VL = 16;
#else
constexpr int VL = 8;
#endif

typedef u8 V8 __attribute__((vector_size(VL)));
typedef u16 V16 __attribute__((vector_size(2 * VL)));
typedef int16_t S16 __attribute__((vector_size(2 * VL)));
typedef u32 V32 __attribute__((vector_size(4 * VL)));
typedef int32_t S32 __attribute__((vector_size(4 * VL)));

// Loops over lanes are short, so that their ends cost more than their text.
#if defined(__clang__)
#define UNROLLED _Pragma("clang loop unroll_count(16)")
#else
#define UNROLLED _Pragma("GCC unroll 16")
#endif
#define EACH_VECTOR(lanes) UNROLLED for (int i = 0; i < vectors(lanes); ++i)

constexpr int vectors(int lanes) { return (lanes + VL - 1) / VL; }

static inline V16 all16(u64 x) { return V16{} + u16(x); }
static inline V32 all32(u64 x) { return V32{} + u32(x); }
static inline V16 as16(V8 v) { return __builtin_convertvector(v, V16); }
static inline V16 as16(V16 v) { return v; }
static inline V16 as16(V32 v) { return __builtin_convertvector(v, V16); }
static inline V32 as32(V8 v) { return __builtin_convertvector(v, V32); }
static inline V32 as32(V16 v) { return __builtin_convertvector(v, V32); }
static inline V32 as32(V32 v) { return v; }
static inline V8 as8(V16 v) { return __builtin_convertvector(v, V8); }
static inline V8 as8(V8 v) { return v; }
// A mask of 16 bits as one of 32.
static inline V32 mask32(V16 v) { return (V32)__builtin_convertvector((S16)v, S32); }

// Masks, one of 16 bits for each lane, to bits.
static inline void pack(const V16* v, u64* b, int lanes) {
    for (int k = 0; k < (lanes + 63) / 64; ++k) b[k] = 0;
    for (int i = 0; i < vectors(lanes); ++i) {
        u32 m = 0;
#if defined(__AVX512BW__)
        m = _mm512_movepi16_mask((__m512i)v[i]);
#elif defined(__AVX2__)
        const __m256i x = (__m256i)v[i];
        m = u32(_mm_movemask_epi8(_mm_packs_epi16(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1))));
#elif defined(__wasm_simd128__)
        static_assert(VL == 8, "a mask of 16 bits for each lane is one vector");
        m = u32(__builtin_wasm_bitmask_i16x8((S16)v[i]));
#else
        for (int k = 0; k < VL; ++k) m |= u32(v[i][k] & 1) << k;
#endif
        b[i * VL / 64] |= u64(m) << (i * VL % 64);
    }
    if (lanes % 64) b[(lanes - 1) / 64] &= (u64(1) << lanes % 64) - 1;
}

// Bits to masks.
static inline void unpack(const u64* b, V16* v, int lanes) {
    V16 bit;
    for (int k = 0; k < VL; ++k) bit[k] = u16(1u << k % 16);
    for (int i = 0; i < vectors(lanes); ++i) {
        const u32 m = u32(b[i * VL / 64] >> (i * VL % 64));
#if defined(__AVX512BW__)
        v[i] = (V16)_mm512_movm_epi16(m);
#else
        v[i] = (V16)((all16(m) & bit) == bit);
#endif
    }
}

// Bits `low` to `low + n - 1`, at most 64 of them.
static inline u64 cut(const u64* b, int low, int n) {
    const int k = low >> 6, off = low & 63;
    u64 x = b[k] >> off;
    if (off + n > 64) x |= b[k + 1] << (64 - off);
    return n < 64 ? x & ((u64(1) << n) - 1) : x;
}

static inline void put(u64* b, int low, int n, u64 value) {
    const int k = low >> 6, off = low & 63;
    const u64 m = n < 64 ? (u64(1) << n) - 1 : ~u64(0);
    b[k] = (b[k] & ~(m << off)) | (value & m) << off;
    if (off + n > 64) b[k + 1] = (b[k + 1] & ~(m >> (64 - off))) | (value & m) >> (64 - off);
}

static inline u64 few(u64 count) { return count > 3 ? 3 : count; }

static inline u64 add(u64 a, u64 b, u64& carry) {
    const unsigned __int128 sum = (unsigned __int128)a + b + carry;
    carry = u64(sum >> 64);
    return u64(sum);
}

static inline u64 sub(u64 a, u64 b, u64& borrow) {
    const unsigned __int128 rest = (unsigned __int128)a - b - borrow;
    borrow = u64(rest >> 64) & 1;
    return u64(rest);
}

// Numbers of `n` words; `width` bits with a sign, or none if it is 0.
static inline bool less(const u64* a, const u64* b, int n, int width) {
    if (width) {
        const int k = (width - 1) / 64, bit = (width - 1) % 64;
        const bool x = a[k] >> bit & 1, y = b[k] >> bit & 1;
        if (x != y) return x;
    }
    for (int k = n - 1; k >= 0; --k)
        if (a[k] != b[k]) return a[k] < b[k];
    return false;
}

static inline void mul(const u64* a, const u64* b, u64* y, int n) {
    for (int k = 0; k < n; ++k) y[k] = 0;
    for (int i = 0; i < n; ++i) {
        u64 carry = 0;
        for (int j = 0; i + j < n; ++j) {
            const unsigned __int128 sum = (unsigned __int128)a[i] * b[j] + y[i + j] + carry;
            y[i + j] = u64(sum);
            carry = u64(sum >> 64);
        }
    }
}

static inline void shl(const u64* a, u64 distance, u64* y, int n) {
    for (int k = n - 1; k >= 0; --k) {
        const i64 from = k - i64(distance >> 6);
        const int off = distance & 63;
        const bool near = distance < u64(64) * n;
        u64 x = near && from >= 0 ? a[from] << off : 0;
        if (off && near && from >= 1) x |= a[from - 1] >> (64 - off);
        y[k] = x;
    }
}

static inline void shr(const u64* a, u64 distance, u64* y, int n) {
    const bool near = distance < u64(64) * n;
    const int off = distance & 63, words = near ? int(distance >> 6) : n;
    for (int k = 0; k < n; ++k) {
        u64 x = k + words < n ? a[k + words] >> off : 0;
        if (off && k + words + 1 < n) x |= a[k + words + 1] << (64 - off);
        y[k] = x;
    }
}

static inline void sshr(const u64* a, u64 distance, u64* y, int n, int width) {
    const bool negative = a[(width - 1) / 64] >> (width - 1) % 64 & 1;
    shr(a, distance, y, n);
    if (!negative) return;
    const u64 kept = distance < u64(width) ? u64(width) - distance : 0;
    for (int k = 0; k < n; ++k)
        if (u64(64) * k >= kept) y[k] = ~u64(0);
        else if (kept - u64(64) * k < 64) y[k] |= ~u64(0) << (kept - u64(64) * k);
}

// Whether memory is equal, of a size in whole words that the compiler knows.
template <int size>
static inline bool same(const void* a, const void* b) {
    u64 differs = 0;
    for (int k = 0; k < size; k += 8) {
        u64 x, y;
        memcpy(&x, (const char*)a + k, 8);
        memcpy(&y, (const char*)b + k, 8);
        differs |= x ^ y;
    }
    return !differs;
}

// Words of registers, as many as the machine compares at once.
typedef u64 Words __attribute__((vector_size(2 * VL)));
constexpr int BLOCK = 64;
#define EACH_PART UNROLLED for (int j = 0; j < BLOCK / int(sizeof(Words)); ++j)

// Part `j` of a block of registers, all ones in the words that are not what they were; from then on they were it.
static inline Words changed(const void* now, void* was, int block, int j) {
    const Words x = ((const Words*)((const char*)now + BLOCK * block))[j];
    Words* const place = (Words*)((char*)was + BLOCK * block) + j;
    const Words differs = (Words)(x != *place);
    *place = x;
    return differs;
}

static inline Words part(const u64* table, int j) { return ((const Words*)table)[j]; }

static inline u64 together(Words x) {
    u64 sum = 0;
    for (int k = 0; k < int(sizeof(Words) / 8); ++k) sum |= x[k];
    return sum;
}

struct VerilatedContext {};
