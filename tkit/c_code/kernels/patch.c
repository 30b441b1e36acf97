/* A window that moves over an image [height][width][channels]. */
struct window {
    int in_height, in_width, in_channels;
    int out_height, out_width;
    int height, width;
    int stride_y, stride_x, dilation_y, dilation_x;
    int top, left; /* padding */
};

/* Copies the `depth` channels from `channel` on of a window's pixels, `zero` where it reaches over the edge. */
static INLINE void copy_patch(
    const struct window *s, const int8_t *x, int row, int column, int channel, int depth, int8_t zero, int8_t *patch)
{
    int first_x = column * s->stride_x - s->left;
    int last_x = first_x + (s->width - 1) * s->dilation_x;
    for (int i = 0; i < s->height; i++) {
        int in_y = row * s->stride_y - s->top + i * s->dilation_y;
        const int8_t *line = x + in_y * s->in_width * s->in_channels + channel;
        if (in_y < 0 || in_y >= s->in_height) {
            memset(patch, zero, (size_t)(s->width * depth));
            patch += s->width * depth;
        } else if (s->dilation_x == 1 && depth == s->in_channels && first_x >= 0 && last_x < s->in_width) {
            memcpy(patch, line + first_x * depth, (size_t)(s->width * depth));
            patch += s->width * depth;
        } else {
            for (int in_x = first_x; in_x <= last_x; in_x += s->dilation_x, patch += depth) {
                if (in_x < 0 || in_x >= s->in_width)
                    memset(patch, zero, (size_t)depth);
                else
                    memcpy(patch, line + in_x * s->in_channels, (size_t)depth);
            }
        }
    }
}
