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
