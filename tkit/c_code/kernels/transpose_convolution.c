/* TRANSPOSE_CONV; filters [out][height][width][in]. The window is that of the convolution on its output. */
static INLINE void transpose_convolution(
    const struct window *s, const struct output_channels *to, const int8_t *filters, int out_channels,
    int in_zero, const int8_t *x, int8_t *y)
{
    for (int row = 0; row < s->out_height; row++) {
        for (int column = 0; column < s->out_width; column++) {
            for (int channel = 0; channel < out_channels; channel++) {
                int32_t sum = 0;
                for (int i = 0; i < s->height; i++) {
                    int in_y = row + s->top - i;
                    if (in_y < 0 || in_y % s->stride_y || in_y / s->stride_y >= s->in_height)
                        continue;
                    for (int j = 0; j < s->width; j++) {
                        int in_x = column + s->left - j;
                        if (in_x < 0 || in_x % s->stride_x || in_x / s->stride_x >= s->in_width)
                            continue;
                        const int8_t *codes =
                            x + (in_y / s->stride_y * s->in_width + in_x / s->stride_x) * s->in_channels;
                        const int8_t *filter =
                            filters + ((channel * s->height + i) * s->width + j) * s->in_channels;
                        for (int k = 0; k < s->in_channels; k++)
                            sum += (codes[k] - in_zero) * filter[k];
                    }
                }
                *y++ = channel_code(to, sum, channel);
            }
        }
    }
}
