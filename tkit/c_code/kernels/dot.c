/* Sums of products of int8 vectors. Cortex-M4 and later multiply and add two pairs of 16 bits in one instruction. They
   are functions of their own because the loops need all registers. */
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

#define PAIRS_OF_16_BITS
#endif

/* Two vectors with two others, so that each code that is loaded is used twice: sums = {a v, a w, b v, b w}, where b and w
   lie `step` codes after a and v. */
static NO_INLINE void dot_two(const int8_t *a, const int8_t *v, int step, int count, int32_t sums[4])
{
    int32_t av = 0, aw = 0, bv = 0, bw = 0;
    const int8_t *end = a + count, *fours = a + (count & ~3);
#ifdef PAIRS_OF_16_BITS
    for (; a != fours; a += 4, v += 4) {
        __asm__("" : "+r"(step)); /* or the compiler keeps four pointers, more than there are registers for */
        uint32_t codes = four_codes(a + step), b_even = even_codes(codes), b_odd = odd_codes(codes);
        codes = four_codes(a);
        uint32_t a_even = even_codes(codes), a_odd = odd_codes(codes);
        codes = four_codes(v + step);
        uint32_t even = even_codes(codes), odd = odd_codes(codes);
        aw = two_products(a_odd, odd, two_products(a_even, even, aw));
        bw = two_products(b_odd, odd, two_products(b_even, even, bw));
        codes = four_codes(v);
        even = even_codes(codes), odd = odd_codes(codes);
        av = two_products(a_odd, odd, two_products(a_even, even, av));
        bv = two_products(b_odd, odd, two_products(b_even, even, bv));
    }
#endif
    const int8_t *b = a + step, *w = v + step;
#define MULTIPLY(i) \
    { \
        int32_t p = a[i], q = b[i], f = v[i], g = w[i]; \
        av += p * f, aw += p * g, bv += q * f, bw += q * g; \
    }
    for (; a != fours; a += 4, b += 4, v += 4, w += 4) {
        MULTIPLY(0) MULTIPLY(1) MULTIPLY(2) MULTIPLY(3)
    }
    for (; a != end; a++, b++, v++, w++)
        MULTIPLY(0)
    sums[0] = av, sums[1] = aw, sums[2] = bv, sums[3] = bw;
}

/* One vector with two others: sums = {a x, b x}, where b lies `step` codes after a. */
static NO_INLINE void dot_one(const int8_t *a, const int8_t *x, int step, int count, int32_t sums[2])
{
    int32_t ax = 0, bx = 0;
    const int8_t *end = a + count;
#ifdef PAIRS_OF_16_BITS
    for (const int8_t *fours = a + (count & ~3); a != fours; a += 4, x += 4) {
        uint32_t codes = four_codes(x), even = even_codes(codes), odd = odd_codes(codes);
        codes = four_codes(a);
        ax = two_products(odd_codes(codes), odd, two_products(even_codes(codes), even, ax));
        codes = four_codes(a + step);
        bx = two_products(odd_codes(codes), odd, two_products(even_codes(codes), even, bx));
    }
#endif
    for (; a != end; a++, x++) {
        int32_t code = *x;
        ax += a[0] * code, bx += a[step] * code;
    }
    sums[0] = ax, sums[1] = bx;
}
