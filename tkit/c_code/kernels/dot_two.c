#ifdef PAIRS_OF_16_BITS
typedef uint64_t patch_codes; /* four of them, spread */
#else
typedef int8_t patch_codes;
#endif

/* Two patches with two filters, so that each code that is loaded is used twice: sums = {a v, a w, b v, b w}, where b and
   w lie `size` codes after a and v; a multiple of four. A function of its own because the loop needs all registers. */
static NO_INLINE void dot_two(const patch_codes *a, const int8_t *v, int size, int32_t sums[4])
{
    int32_t av = 0, aw = 0, bv = 0, bw = 0;
#ifdef PAIRS_OF_16_BITS
    const patch_codes *b = a + size / 4;
    for (const int8_t *end = v + size; v != end; v += 4) {
        __asm__("" : "+r"(size)); /* or the compiler keeps another pointer, and has no register for it */
        uint32_t codes = four_codes(v + size), even = even_codes(codes), odd = odd_codes(codes);
        uint32_t a_even, a_odd, b_even, b_odd;
        __asm__("ldrd %0, %1, [%2], #8" : "=r"(a_even), "=r"(a_odd), "+r"(a) : "m"(*a));
        __asm__("ldrd %0, %1, [%2], #8" : "=r"(b_even), "=r"(b_odd), "+r"(b) : "m"(*b));
        aw = two_products(a_odd, odd, two_products(a_even, even, aw));
        bw = two_products(b_odd, odd, two_products(b_even, even, bw));
        codes = four_codes(v);
        even = even_codes(codes), odd = odd_codes(codes);
        av = two_products(a_odd, odd, two_products(a_even, even, av));
        bv = two_products(b_odd, odd, two_products(b_even, even, bv));
    }
#else
    const int8_t *b = a + size, *w = v + size;
#define MULTIPLY(i) \
    { \
        int32_t p = a[i], q = b[i], f = v[i], g = w[i]; \
        av += p * f, aw += p * g, bv += q * f, bw += q * g; \
    }
    for (const int8_t *end = a + size; a != end; a += 4, b += 4, v += 4, w += 4) {
        MULTIPLY(0) MULTIPLY(1) MULTIPLY(2) MULTIPLY(3)
    }
#endif
    sums[0] = av, sums[1] = aw, sums[2] = bv, sums[3] = bw;
}
