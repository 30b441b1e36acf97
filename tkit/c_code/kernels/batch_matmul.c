/* BATCH_MATMUL of one pair of matrices, x [rows][inner] and y [inner][columns], by their strides. */
static INLINE void matrix_product(
    const int8_t *x, int x_row, int x_inner, int x_zero, const int8_t *y, int y_inner, int y_column, int y_zero,
    int rows, int inner, int columns, int32_t multiplier, int shift, int zero, int8_t *z)
{
    for (int i = 0; i < rows; i++) {
        for (int j = 0; j < columns; j++) {
            int32_t sum = 0;
            for (int k = 0; k < inner; k++)
                sum += (x[i * x_row + k * x_inner] - x_zero) * (y[k * y_inner + j * y_column] - y_zero);
            *z++ = (int8_t)clamped(rescale(sum, multiplier, shift, 0) + zero, -128, 127);
        }
    }
}
