package android.graphics

class Bitmap(val width: Int, val height: Int, private val colours: IntArray) {
    fun getPixels(pixels: IntArray, offset: Int, stride: Int, x: Int, y: Int, width: Int, height: Int) {
        for (row in 0 until height) {
            val first = (y + row) * this.width + x
            colours.copyInto(pixels, offset + row * stride, first, first + width)
        }
    }
}
