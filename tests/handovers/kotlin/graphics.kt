package android.graphics

class Bitmap(val width: Int, val height: Int, private val colours: IntArray) {
    enum class Config { ARGB_8888 }

    fun getPixels(pixels: IntArray, offset: Int, stride: Int, x: Int, y: Int, width: Int, height: Int) {
        colours.copyInto(pixels)
    }

    companion object {
        fun createBitmap(width: Int, height: Int, config: Config) = Bitmap(width, height, IntArray(width * height))

        fun createScaledBitmap(source: Bitmap, width: Int, height: Int, filter: Boolean) =
            Bitmap(width, height, IntArray(width * height))
    }
}

class Matrix {
    fun setScale(x: Float, y: Float) = Unit

    fun postTranslate(x: Float, y: Float) = true
}

class Paint(flags: Int) {
    companion object {
        const val FILTER_BITMAP_FLAG = 2
    }
}

class Canvas(target: Bitmap) {
    fun drawBitmap(source: Bitmap, matrix: Matrix, paint: Paint?) = Unit
}
