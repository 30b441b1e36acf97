static INLINE int32_t nearest(double value)
{
    int32_t whole = (int32_t)value;
    double rest = value - whole;
    return rest >= 0.5 ? whole + 1 : rest <= -0.5 ? whole - 1 : whole;
}

/* FULLY_CONNECTED as a plain loop nest. */
static INLINE void fully_connected(
    const int8_t *weights, const int32_t *bias, const double *scale, int scales, int rows, int inputs, int outputs,
    int zero, int low, int high, const int8_t *x, int8_t *y)
{
    for (int row = 0; row < rows; row++)
        for (int i = 0; i < outputs; i++) {
            int32_t sum = bias[i];
            for (int k = 0; k < inputs; k++)
                sum += x[row * inputs + k] * weights[i * inputs + k];
            *y++ = (int8_t)clamped(nearest(sum * scale[scales > 1 ? i : 0]) + zero, low, high);
        }
}
