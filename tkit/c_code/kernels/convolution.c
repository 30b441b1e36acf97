/* `count` filters of `size` codes on two patches, from output channel `first` on. For a single patch z is y. */
static INLINE void filter_two(
    const struct output_channels *to, const int8_t *filters, int size, int first, int count,
    const patch_codes *patches, int8_t *y, int8_t *z)
{
    for (int i = 0; i < count; i += 2, filters += 2 * size) {
        int32_t sums[4];
        dot_two(patches, filters, size, sums);
        z[i] = channel_code(to, sums[2], first + i);
        y[i] = channel_code(to, sums[0], first + i);
        if (i + 1 < count) {
            z[i + 1] = channel_code(to, sums[3], first + i + 1);
            y[i + 1] = channel_code(to, sums[1], first + i + 1);
        }
    }
}

/* CONV_2D; filters [groups][out][size]: [height][width][depth] and zeros up to `size`. Where windows are `neighbours` a
   window is a pixel. `memory` has room for two windows of 16 bits a code. */
static INLINE void convolution(
    const struct window *s, const struct output_channels *to, const int8_t *filters, int size, int groups,
    int out_channels, int neighbours, int8_t in_zero, const int8_t *x, int8_t *memory, int8_t *y)
{
    int depth = s->in_channels / groups, count = out_channels / groups;
    int pixels = s->out_height * s->out_width;
    int8_t *patches = memory + 2 * size; /* spread to the front */
    for (int group = 0; group < groups; group++) {
        int row = 0, column = 0;
        for (int pixel = 0; pixel < pixels; pixel += 2) {
            int both = pixel + 1 < pixels;
            const int8_t *two = neighbours ? x + pixel * size : patches;
            for (int k = 0; !neighbours && k <= both; k++) {
                copy_patch(s, x, row, column, group * depth, depth, in_zero, patches + k * size);
                if (++column == s->out_width)
                    column = 0, row++;
            }
            int8_t *out = y + pixel * out_channels + group * count;
#ifdef PAIRS_OF_16_BITS
            uint64_t *pairs = (uint64_t *)(void *)memory;
            spread(two, 2 * size, pairs);
#else
            const int8_t *pairs = two;
#endif
            filter_two(
                to, filters + group * count * size, size, group * count, count, pairs, out, out + both * out_channels);
        }
    }
}
