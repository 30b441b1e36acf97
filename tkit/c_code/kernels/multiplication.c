/* MUL */
struct multiplication {
    int32_t x_zero, y_zero, multiplier, shift, zero, low, high;
};

static INLINE int8_t product_code(const struct multiplication *s, int8_t x, int8_t y)
{
    int32_t product = rescale((x - s->x_zero) * (y - s->y_zero), s->multiplier, s->shift, 0);
    return (int8_t)clamped(product + s->zero, s->low, s->high);
}
