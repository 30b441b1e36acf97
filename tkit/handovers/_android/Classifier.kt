// Runs assets/model.tflite with LiteRT. Put it into your own package.

import android.content.Context
import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.Matrix
import android.graphics.Paint
import com.google.ai.edge.litert.Accelerator
import com.google.ai.edge.litert.CompiledModel
import kotlin.math.exp
import kotlin.math.max
import kotlin.math.min

private const val WIDTH = $WIDTH
private const val HEIGHT = $HEIGHT
private const val CHANNELS = $CHANNELS
private const val FIT = "$FIT" // of other sizes: crop (cover, take the middle), pad (with black) or stretch
private const val ANTIALIAS = $ANTIALIAS
private const val SOFTMAX = $SOFTMAX // the model gives scores, not probabilities

/** Not safe for several threads at once: its buffers are reused. */
class Classifier(context: Context) : AutoCloseable {
    private val labels = context.assets.open("labels.txt").bufferedReader().use { it.readLines() }
    private val model = CompiledModel.create(context.assets, "model.tflite", CompiledModel.Options(Accelerator.CPU))
    private val inputs = model.createInputBuffers()
    private val outputs = model.createOutputBuffers()

    /** The classes of an upright image with their probabilities, the likeliest first. */
    fun classify(image: Bitmap): List<Pair<String, Float>> {
        inputs[0].writeFloat(pixels(fitted(image)))
        model.run(inputs, outputs)
        val scores = outputs[0].readFloat()
        val shares = if (SOFTMAX) softmax(scores) else scores
        return labels.zip(shares.toList()).sortedByDescending { it.second }
    }

    override fun close() {
        inputs.forEach { it.close() }
        outputs.forEach { it.close() }
        model.close()
    }
}

private fun fitted(image: Bitmap): Bitmap {
    if (image.width == WIDTH && image.height == HEIGHT) return image
    var source = image
    while (ANTIALIAS && source.width >= 2 * WIDTH && source.height >= 2 * HEIGHT) { // Android's filter sees 2x2 pixels
        source = Bitmap.createScaledBitmap(source, source.width / 2, source.height / 2, true)
    }
    val across = WIDTH.toFloat() / source.width
    val down = HEIGHT.toFloat() / source.height
    val scale = if (FIT == "pad") min(across, down) else max(across, down)
    val matrix = Matrix()
    if (FIT == "stretch") matrix.setScale(across, down) else matrix.setScale(scale, scale)
    if (FIT != "stretch") matrix.postTranslate((WIDTH - source.width * scale) / 2, (HEIGHT - source.height * scale) / 2)
    val result = Bitmap.createBitmap(WIDTH, HEIGHT, Bitmap.Config.ARGB_8888)
    Canvas(result).drawBitmap(source, matrix, Paint(Paint.FILTER_BITMAP_FLAG))
    return result
}

/** Pixels of 0-255 as they are, row by row. */
private fun pixels(image: Bitmap): FloatArray {
    val colours = IntArray(WIDTH * HEIGHT)
    image.getPixels(colours, 0, WIDTH, 0, 0, WIDTH, HEIGHT)
    val values = FloatArray(WIDTH * HEIGHT * CHANNELS)
    colours.forEachIndexed { index, colour ->
        val red = colour shr 16 and 255
        val green = colour shr 8 and 255
        val blue = colour and 255
        if (CHANNELS == 1) {
            values[index] = (19595 * red + 38470 * green + 7471 * blue + 32768 shr 16).toFloat() // ITU-R 601
        } else {
            values[3 * index] = red.toFloat()
            values[3 * index + 1] = green.toFloat()
            values[3 * index + 2] = blue.toFloat()
        }
    }
    return values
}

private fun softmax(scores: FloatArray): FloatArray {
    val largest = scores.fold(scores[0]) { most, score -> max(most, score) }
    val powers = FloatArray(scores.size) { exp(scores[it] - largest) }
    val total = powers.sum()
    return FloatArray(scores.size) { powers[it] / total }
}
