/* Cortex-M4 and later multiply and add two pairs of 16 bits in one instruction. */
#if defined(__ARM_FEATURE_SIMD32) && defined(__ARM_ARCH_PROFILE) && defined(__GNUC__) && !defined(__ARM_BIG_ENDIAN)
#if __ARM_ARCH_PROFILE == 'M'
static INLINE uint32_t four_codes(const int8_t *codes)
{
    uint32_t word;
    memcpy(&word, codes, 4);
    return word;
}

/* Codes 0 and 2 of four, with 16 bits each. */
static INLINE uint32_t even_codes(uint32_t word)
{
    uint32_t pair;
    __asm__("sxtb16 %0, %1" : "=r"(pair) : "r"(word));
    return pair;
}

/* Codes 1 and 3. */
static INLINE uint32_t odd_codes(uint32_t word)
{
    uint32_t pair;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(pair) : "r"(word));
    return pair;
}

static INLINE int32_t two_products(uint32_t one, uint32_t other, int32_t sum)
{
    int32_t total;
    __asm__("smlad %0, %1, %2, %3" : "=r"(total) : "r"(one), "r"(other), "r"(sum));
    return total;
}

/* Codes with 16 bits each, four in 64 bits: the even ones, then the odd ones. */
static INLINE void spread(const int8_t *codes, int count, uint64_t *fours)
{
    for (const int8_t *end = codes + count; codes != end; codes += 4) {
        uint32_t word = four_codes(codes);
        *fours++ = even_codes(word) | (uint64_t)odd_codes(word) << 32;
    }
}

#define PAIRS_OF_16_BITS
#endif
#endif

