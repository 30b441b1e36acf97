/* `value` to the nearest integer, halves away from zero; the sum of a half would round. */
static INLINE int32_t nearest(double value)
{
    int32_t whole = (int32_t)value;
    double rest = value - whole;
    return rest >= 0.5 ? whole + 1 : rest <= -0.5 ? whole - 1 : whole;
}

/* FULLY_CONNECTED on `rows` vectors; weights [outputs][inputs], a scale for each output or one for all. */
static INLINE void fully_connected(
    const int8_t *weights, const int32_t *bias, const double *scale, int scales, int rows, int inputs, int outputs,
    int zero, int low, int high, const int8_t *x, int8_t *y)
{
    for (int row = 0; row < rows; row++, x += inputs, y += outputs) {
        for (int i = 0; i < outputs; i += 2) {
            int32_t sums[2];
            int j = i + 1 < outputs;
            dot_one(weights + i * inputs, x, j * inputs, inputs, sums);
            for (int k = 0; k <= j; k++) {
                double whole = (int32_t)((uint32_t)sums[k] + (uint32_t)bias[i + k]);
                y[i + k] = (int8_t)clamped(nearest(whole * scale[scales > 1 ? i + k : 0]) + zero, low, high);
            }
        }
    }
}
