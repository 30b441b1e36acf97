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

/* `count` filters of `size` codes on two patches, from output channel `first` on. For a single patch z is y. */
static INLINE void filter_two(
    const struct output_channels *to, const int8_t *filters, int size, int first, int count,
    const int8_t *patches, int8_t *y, int8_t *z)
{
    for (int i = 0; i < count; i += 2, filters += 2 * size) {
        int32_t sums[4];
        dot_two(patches, filters, size, size, sums);
        z[i] = channel_code(to, sums[2], first + i);
        y[i] = channel_code(to, sums[0], first + i);
        if (i + 1 < count) {
            z[i + 1] = channel_code(to, sums[3], first + i + 1);
            y[i + 1] = channel_code(to, sums[1], first + i + 1);
        }
    }
}

/* CONV_2D; filters [groups][out][size]: [height][width][depth] and zeros up to `size`. Where `patches` is 0 a window is a
   pixel and its neighbour the next one, else it has room for two windows of `size`. */
static INLINE void convolution(
    const struct window *s, const struct output_channels *to, const int8_t *filters, int size, int groups,
    int out_channels, int8_t in_zero, const int8_t *x, int8_t *patches, int8_t *y)
{
    int depth = s->in_channels / groups, count = out_channels / groups;
    int pixels = s->out_height * s->out_width;
    for (int group = 0; group < groups; group++) {
        int row = 0, column = 0;
        for (int pixel = 0; pixel < pixels; pixel += 2) {
            int both = pixel + 1 < pixels;
            const int8_t *two = patches ? patches : x + pixel * size;
            for (int k = 0; patches && k <= both; k++) {
                copy_patch(s, x, row, column, group * depth, depth, in_zero, patches + k * size);
                if (++column == s->out_width)
                    column = 0, row++;
            }
            int8_t *out = y + pixel * out_channels + group * count;
            filter_two(
                to, filters + group * count * size, size, group * count, count, two, out, out + both * out_channels);
        }
    }
}
