/* CONV_2D as a plain loop nest: a test for each tap, then a loop over its channels. */
static INLINE void convolution(
    const struct window *s, const struct output_channels *to, const int8_t *filters, int size, int groups,
    int out_channels, int neighbours, int8_t in_zero, const int8_t *x, int8_t *memory, int8_t *y)
{
    int depth = s->in_channels / groups, count = out_channels / groups;
    (void)neighbours, (void)memory;
    for (int row = 0; row < s->out_height; row++)
        for (int column = 0; column < s->out_width; column++)
            for (int channel = 0; channel < out_channels; channel++) {
                int32_t sum = 0;
                for (int i = 0; i < s->height; i++)
                    for (int j = 0; j < s->width; j++) {
                        int in_y = row * s->stride_y - s->top + i * s->dilation_y;
                        int in_x = column * s->stride_x - s->left + j * s->dilation_x;
                        int inside = in_y >= 0 && in_y < s->in_height && in_x >= 0 && in_x < s->in_width;
                        const int8_t *codes =
                            x + (in_y * s->in_width + in_x) * s->in_channels + channel / count * depth;
                        const int8_t *filter = filters + channel * size + (i * s->width + j) * depth;
                        for (int k = 0; inside && k < depth; k++)
                            sum += codes[k] * filter[k];
                        for (int k = 0; !inside && k < depth; k++)
                            sum += in_zero * filter[k];
                    }
                *y++ = channel_code(to, sum, channel);
            }
}
