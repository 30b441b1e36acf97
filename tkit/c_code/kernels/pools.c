/* MAX_POOL_2D and AVERAGE_POOL_2D; padding doesn't count. */
static INLINE void pool(const struct window *s, int average, int low, int high, const int8_t *x, int8_t *y)
{
    int channels = s->in_channels;
    for (int row = 0; row < s->out_height; row++) {
        int y_from = row * s->stride_y - s->top, y_to = y_from + s->height;
        y_from = y_from > 0 ? y_from : 0;
        y_to = y_to < s->in_height ? y_to : s->in_height;
        for (int column = 0; column < s->out_width; column++) {
            int x_from = column * s->stride_x - s->left, x_to = x_from + s->width;
            x_from = x_from > 0 ? x_from : 0;
            x_to = x_to < s->in_width ? x_to : s->in_width;
            int count = (y_to - y_from) * (x_to - x_from);
            for (int channel = 0; channel < channels; channel++) {
                int32_t sum = 0, largest = -128;
                for (int i = y_from; i < y_to; i++) {
                    const int8_t *codes = x + (i * s->in_width + x_from) * channels + channel;
                    for (int j = x_from; j < x_to; j++, codes += channels) {
                        sum += *codes;
                        largest = *codes > largest ? *codes : largest;
                    }
                }
                int32_t mean = (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
                *y++ = (int8_t)clamped(average ? mean : largest, low, high);
            }
        }
    }
}
