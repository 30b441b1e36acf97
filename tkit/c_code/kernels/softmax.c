/* The product of numbers with 31 bits after the binary point. */
static INLINE int32_t fixed_product(int32_t one, int32_t other)
{
    return (int32_t)(((int64_t)one * other + (INT64_C(1) << 30)) >> 31);
}

/* SOFTMAX over the last axis. `exponentials` holds exp of the difference to the largest, for `radius` differences;
   beyond that it is 0. Newton's method finds the reciprocal of their sum, in fixed point. */
static INLINE void softmax(const int32_t *exponentials, int radius, int rows, int classes, const int8_t *x, int8_t *y)
{
    for (int row = 0; row < rows; row++, x += classes, y += classes) {
        int largest = -128;
        for (int i = 0; i < classes; i++)
            largest = x[i] > largest ? x[i] : largest;
        uint32_t total = 0;
        for (int i = 0; i < classes; i++)
            total += largest - x[i] < radius ? ((uint32_t)exponentials[largest - x[i]] + (1 << 11)) >> 12 : 0;
        int headroom = 0;
        for (uint32_t bits = total; !(bits >> 31); bits <<= 1)
            headroom++;
        int32_t a = (int32_t)((total << headroom) - (UINT32_C(1) << 31));
        int32_t half = (int32_t)(((int64_t)a + INT32_MAX + 1) >> 1);
        int32_t inverse = 1515870810 + fixed_product(half, -1010580540);
        for (int i = 0; i < 3; i++)
            inverse += fixed_product(inverse, (1 << 29) - fixed_product(half, inverse)) * 4;
        inverse = inverse >= 1 << 30 ? INT32_MAX : inverse * 2;
        int right = 12 - headroom + 31 - 8;
        for (int i = 0; i < classes; i++) {
            int difference = largest - x[i];
            int32_t code = -128;
            if (difference < radius)
                code += (int32_t)(((uint32_t)fixed_product(inverse, exponentials[difference]) +
                                   (UINT32_C(1) << (right - 1))) >> right);
            y[i] = (int8_t)clamped(code, -128, 127);
        }
    }
}
