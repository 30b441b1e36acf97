/* DEPTHWISE_CONV_2D; filters [height][width][in * multiplier]. `patch` has room for one window. */
static INLINE void depthwise(
    const struct window *s, const struct output_channels *to, const int8_t *filters, int multiplier,
    int8_t in_zero, const int8_t *x, int8_t *patch, int8_t *y)
{
    int channels = s->in_channels, taps = s->height * s->width, out_channels = channels * multiplier;
    for (int row = 0; row < s->out_height; row++) {
        for (int column = 0; column < s->out_width; column++, y += out_channels) {
            copy_patch(s, x, row, column, 0, channels, in_zero, patch);
            int i = 0;
#ifdef PAIRS_OF_16_BITS
            for (; multiplier == 1 && i + 3 < channels; i += 4) {
                int32_t zeroth = 0, first = 0, second = 0, third = 0;
                for (int tap = 0; tap < taps; tap++) {
                    uint32_t codes = four_codes(patch + tap * channels + i);
                    uint32_t weights = four_codes(filters + tap * channels + i);
                    uint32_t even = even_codes(codes), odd = odd_codes(codes);
                    uint32_t even_weights = even_codes(weights), odd_weights = odd_codes(weights);
                    zeroth += (int16_t)even * (int16_t)even_weights;
                    first += (int16_t)odd * (int16_t)odd_weights;
                    second += ((int32_t)even >> 16) * ((int32_t)even_weights >> 16);
                    third += ((int32_t)odd >> 16) * ((int32_t)odd_weights >> 16);
                }
                y[i] = channel_code(to, zeroth, i);
                y[i + 1] = channel_code(to, first, i + 1);
                y[i + 2] = channel_code(to, second, i + 2);
                y[i + 3] = channel_code(to, third, i + 3);
            }
#endif
            for (; i < out_channels; i++) {
                int32_t sum = 0;
                for (int tap = 0; tap < taps; tap++)
                    sum += patch[tap * channels + i / multiplier] * filters[tap * out_channels + i];
                y[i] = channel_code(to, sum, i);
            }
        }
    }
}
