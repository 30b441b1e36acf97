/* What turns the sums of an output channel into codes. The zero point of the inputs is part of the biases. */
struct output_channels {
    const int32_t *bias, *multiplier;
    const int8_t *shift;
    int shrinks, zero, low, high;
};

static INLINE int8_t channel_code(const struct output_channels *to, int32_t sum, int channel)
{
    int32_t whole = (int32_t)((uint32_t)sum + (uint32_t)to->bias[channel]);
    int32_t scaled = rescale(whole, to->multiplier[channel], to->shift[channel], to->shrinks);
    return (int8_t)clamped(scaled + to->zero, to->low, to->high);
}
