/* Sums of products of int8 vectors, two vectors with two others at once, so that each code that is loaded is used twice.
   Cortex-M4 and later multiply and add two pairs of 16 bits in one instruction. */
#if defined(__ARM_FEATURE_SIMD32) && defined(__GNUC__) && !defined(__ARM_BIG_ENDIAN)
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

#define FOURS(count) ((count) & ~3)

static INLINE void dot_fours(const int8_t *a, const int8_t *b, const int8_t *v, const int8_t *w, int count, int32_t sums[4])
{
    int32_t av = 0, aw = 0, bv = 0, bw = 0;
    for (const int8_t *end = a + FOURS(count); a != end; a += 4, b += 4, v += 4, w += 4) {
        uint32_t word = four_codes(a), a_even = even_codes(word), a_odd = odd_codes(word);
        word = four_codes(b);
        uint32_t b_even = even_codes(word), b_odd = odd_codes(word);
        word = four_codes(v);
        uint32_t even = even_codes(word), odd = odd_codes(word);
        av = two_products(a_odd, odd, two_products(a_even, even, av));
        bv = two_products(b_odd, odd, two_products(b_even, even, bv));
        word = four_codes(w);
        even = even_codes(word), odd = odd_codes(word);
        aw = two_products(a_odd, odd, two_products(a_even, even, aw));
        bw = two_products(b_odd, odd, two_products(b_even, even, bw));
    }
    sums[0] = av, sums[1] = aw, sums[2] = bv, sums[3] = bw;
}
#else
#define FOURS(count) 0

static INLINE void dot_fours(const int8_t *a, const int8_t *b, const int8_t *v, const int8_t *w, int count, int32_t sums[4])
{
    (void)a, (void)b, (void)v, (void)w, (void)count;
    sums[0] = sums[1] = sums[2] = sums[3] = 0;
}
#endif

/* sums = {a v, a w, b v, b w} */
static INLINE void dot(const int8_t *a, const int8_t *b, const int8_t *v, const int8_t *w, int count, int32_t sums[4])
{
    dot_fours(a, b, v, w, count, sums);
    int32_t av = sums[0], aw = sums[1], bv = sums[2], bw = sums[3];
    for (int i = FOURS(count); i < count; i++) {
        int32_t p = a[i], q = b[i], f = v[i], g = w[i];
        av += p * f, aw += p * g, bv += q * f, bw += q * g;
    }
    sums[0] = av, sums[1] = aw, sums[2] = bv, sums[3] = bw;
}
