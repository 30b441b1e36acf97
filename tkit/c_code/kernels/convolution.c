/* What turns the sums of an output channel into codes. The zero point of the inputs is part of the biases. */
struct output_channels {
    const int32_t *bias, *multiplier;
    const int8_t *shift;
    int lefts, zero, low, high;
};

static INLINE int8_t channel_code(const struct output_channels *to, int32_t sum, int channel)
{
    int32_t scaled = rescale(sum + to->bias[channel], to->multiplier[channel], to->shift[channel], to->lefts);
    return (int8_t)clamped(scaled + to->zero, to->low, to->high);
}

/* `count` filters of `size` codes on two patches, from output channel `first` on. */
static INLINE void filter_two(
    const struct output_channels *to, const int8_t *filters, int size, int first, int count,
    const int8_t *a, const int8_t *b, int8_t *y, int8_t *z)
{
    for (int i = 0; i < count; i += 2) {
        int j = i + 1 < count ? i + 1 : i;
        int32_t sums[4];
        dot(a, b, filters + i * size, filters + j * size, size, sums);
        y[i] = channel_code(to, sums[0], first + i);
        y[j] = channel_code(to, sums[1], first + j);
        z[i] = channel_code(to, sums[2], first + i);
        z[j] = channel_code(to, sums[3], first + j);
    }
}

/* CONV_2D; filters [groups][out][height][width][depth]. `patches` has room for two, unless a window is one pixel. */
static INLINE void convolution(
    const struct window *s, const struct output_channels *to, const int8_t *filters, int groups, int out_channels,
    int8_t in_zero, const int8_t *x, int8_t *patches, int8_t *y)
{
    int depth = s->in_channels / groups, count = out_channels / groups;
    int size = s->height * s->width * depth, pixels = s->out_height * s->out_width;
    int copies = size != s->in_channels || groups > 1;
    for (int group = 0; group < groups; group++) {
        for (int pixel = 0; pixel < pixels; pixel += 2) {
            const int8_t *patch[2];
            int both = pixel + 1 < pixels;
            for (int k = 0; k <= both; k++) {
                int row = (pixel + k) / s->out_width, column = (pixel + k) % s->out_width;
                patch[k] = patches + k * size;
                if (copies)
                    copy_patch(s, x, row, column, group * depth, depth, in_zero, patches + k * size);
                else
                    patch[k] = x + (row * s->stride_y * s->in_width + column * s->stride_x) * size;
            }
            int8_t *out = y + pixel * out_channels + group * count;
            filter_two(
                to, filters + group * count * size, size, group * count, count,
                patch[0], patch[both], out, out + both * out_channels);
        }
    }
}
