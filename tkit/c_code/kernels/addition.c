/* ADD and SUB, both inputs brought to one scale, with 20 bits more. */
struct addition {
    int32_t x_zero, x_multiplier, x_shift;
    int32_t y_zero, y_multiplier, y_shift;
    int32_t sign, multiplier, shift, zero, low, high;
};

static INLINE int8_t sum_code(const struct addition *s, int8_t x, int8_t y)
{
    int32_t one = rescale((x - s->x_zero) * (1 << 20), s->x_multiplier, s->x_shift, 0);
    int32_t other = rescale((y - s->y_zero) * (1 << 20), s->y_multiplier, s->y_shift, 0);
    int32_t sum = rescale(one + s->sign * other, s->multiplier, s->shift, 0);
    return (int8_t)clamped(sum + s->zero, s->low, s->high);
}
