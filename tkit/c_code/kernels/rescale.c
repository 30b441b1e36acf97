/* value * multiplier * 2^(shift - 31), rounded twice as LiteRT does: to 32 bits, halves upwards; then by the shift to the
   right, halves away from zero. `lefts`: whether any shift of the layer is positive. */
static INLINE int32_t rescale(int32_t value, int32_t multiplier, int shift, int lefts)
{
    int left = lefts && shift > 0 ? shift : 0, right = left - shift;
    int64_t product = (int64_t)(int32_t)((uint32_t)value << left) * multiplier;
    int32_t high = (int32_t)((product + (INT64_C(1) << 30)) >> 31);
    int32_t half = (int32_t)((UINT32_C(1) << right) >> 1);
    return (high + half + ((high >> 31) & -(half > 0))) >> right;
}

static INLINE int32_t clamped(int32_t value, int32_t low, int32_t high)
{
    return value < low ? low : value > high ? high : value;
}
