/* value * multiplier * 2^(shift - 31), rounded twice as LiteRT does: to 32 bits, halves upwards; then by the shift to the
   right, halves away from zero. `shrinks`: that the shift is negative. */
static INLINE int32_t rescale(int32_t value, int32_t multiplier, int shift, int shrinks)
{
    int left = !shrinks && shift > 0 ? shift : 0, right = left - shift;
    int64_t product = (int64_t)(int32_t)((uint32_t)value << left) * multiplier;
    int32_t high = (int32_t)((product + (INT64_C(1) << 30)) >> 31);
    if (!shrinks && right == 0)
        return high;
    return (((high + (high >> 31)) >> (right - 1)) + 1) >> 1;
}

static INLINE int32_t clamped(int32_t value, int32_t low, int32_t high)
{
    return value < low ? low : value > high ? high : value;
}
