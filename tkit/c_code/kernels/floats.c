/* QUANTIZE and DEQUANTIZE. */
static INLINE int32_t quantized(float value, float scale, int32_t zero, int32_t low, int32_t high)
{
    float steps = value / scale;
    steps = steps >= -512.0f ? steps : -512.0f;
    steps = steps <= 512.0f ? steps : 512.0f;
    int32_t whole = (int32_t)steps;
    float rest = steps - (float)whole;
    whole += rest >= 0.5f ? 1 : rest <= -0.5f ? -1 : 0;
    return clamped(whole + zero, low, high);
}
