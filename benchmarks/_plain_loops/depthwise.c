/* DEPTHWISE_CONV_2D as a plain loop nest. */
static INLINE void depthwise(
    const struct window *s, const struct output_channels *to, const int8_t *filters, int multiplier,
    int8_t in_zero, const int8_t *x, int8_t *patch, int8_t *y)
{
    int out_channels = s->in_channels * multiplier;
    (void)patch;
    for (int row = 0; row < s->out_height; row++)
        for (int column = 0; column < s->out_width; column++)
            for (int channel = 0; channel < out_channels; channel++) {
                int32_t sum = 0;
                for (int i = 0; i < s->height; i++)
                    for (int j = 0; j < s->width; j++) {
                        int in_y = row * s->stride_y - s->top + i * s->dilation_y;
                        int in_x = column * s->stride_x - s->left + j * s->dilation_x;
                        int inside = in_y >= 0 && in_y < s->in_height && in_x >= 0 && in_x < s->in_width;
                        int from = (in_y * s->in_width + in_x) * s->in_channels + channel / multiplier;
                        sum += (inside ? x[from] : in_zero) * filters[(i * s->width + j) * out_channels + channel];
                    }
                *y++ = channel_code(to, sum, channel);
            }
}
