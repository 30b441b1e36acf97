// Runs assets/model.tflite with LiteRT. Put it into your own package.

import android.content.Context
import android.graphics.Bitmap
import com.google.ai.edge.litert.Accelerator
import com.google.ai.edge.litert.CompiledModel
import kotlin.math.abs
import kotlin.math.exp
import kotlin.math.floor
import kotlin.math.max
import kotlin.math.min

private const val WIDTH = $WIDTH
private const val HEIGHT = $HEIGHT
private const val CHANNELS = $CHANNELS
private const val FIT = "$FIT" // of other sizes: crop (cover, take the middle), pad (with black) or stretch
private const val ANTIALIAS = $ANTIALIAS // shrinking averages all pixels, not two neighbours
private const val SOFTMAX = $SOFTMAX // the model gives scores, not probabilities

/** Not safe for several threads at once: its buffers are reused. */
class Classifier(context: Context) : AutoCloseable {
    private val labels = context.assets.open("labels.txt").bufferedReader().use { it.readLines() }
    private val model = CompiledModel.create(context.assets, "model.tflite", CompiledModel.Options(Accelerator.CPU))
    private val inputs = model.createInputBuffers()
    private val outputs = model.createOutputBuffers()

    /** The classes of an upright image with their probabilities, the likeliest first. */
    fun classify(image: Bitmap): List<Pair<String, Float>> {
        inputs[0].writeFloat(pixels(image))
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

/** Pixels of 0-255, row by row, in the model's size: resampled by the rule that training used. */
private fun pixels(image: Bitmap): FloatArray {
    val ratios = doubleArrayOf(image.height.toDouble() / HEIGHT, image.width.toDouble() / WIDTH)
    val rows = part(image.height, HEIGHT, ratios)
    val columns = part(image.width, WIDTH, ratios)
    val across = taps(columns, image.width)
    val colours = IntArray(image.width)
    val lines = HashMap<Int, DoubleArray>()
    val values = FloatArray(HEIGHT * WIDTH * CHANNELS)
    taps(rows, image.height).forEachIndexed { row, tap ->
        lines.keys.removeAll { it < tap.from }
        val used = tap.weights.indices.map { index ->
            lines.getOrPut(tap.from + index) {
                image.getPixels(colours, 0, image.width, 0, tap.from + index, image.width, 1)
                resampled(colours, across)
            }
        }
        val start = ((rows.offset + row) * WIDTH + columns.offset) * CHANNELS
        for (index in 0 until columns.count * CHANNELS) {
            var sum = 0.0
            used.forEachIndexed { line, pixels -> sum += tap.weights[line] * pixels[index] }
            values[start + index] = floor(sum + 0.5).toFloat()
        }
    }
    return values
}

/** What is taken of an axis of the image, and where it goes. */
private class Part(val start: Double, val size: Double, val offset: Int, val count: Int)

private fun part(full: Int, count: Int, ratios: DoubleArray): Part {
    fun whole(size: Double) = max(1.0, floor(size + 1e-4))
    if (FIT == "stretch") return Part(0.0, full.toDouble(), 0, count)
    if (FIT == "pad") {
        val exact = full / max(ratios[0], ratios[1])
        return Part(0.0, full.toDouble(), floor((count - exact) / 2 + 1e-4).toInt(), whole(exact).toInt())
    }
    val exact = min(full.toDouble(), count * min(ratios[0], ratios[1]))
    if (ANTIALIAS) return Part((full - exact) / 2, exact, 0, count)
    return Part(floor((full - whole(exact)) / 2), whole(exact), 0, count)
}

/** The first of the image's pixels that a pixel is made of, and their weights. */
private class Tap(val from: Int, val weights: DoubleArray)

private fun taps(part: Part, full: Int): List<Tap> {
    val scale = part.size / part.count
    val reach = if (ANTIALIAS) max(scale, 1.0) else 1.0 // a triangle as wide as what a pixel covers, or two neighbours
    val least = if (ANTIALIAS) 0 else part.start.toInt()
    val most = if (ANTIALIAS) full else (part.start + part.size).toInt()
    return List(part.count) { index ->
        val centre = part.start + (index + 0.5) * scale
        val from = max(least, floor(centre - reach + 0.5).toInt())
        val end = min(most, floor(centre + reach + 0.5).toInt())
        val shares = DoubleArray(end - from) { max(0.0, 1 - abs(from + it + 0.5 - centre) / reach) }
        val total = shares.sum()
        Tap(from, DoubleArray(shares.size) { shares[it] / total })
    }
}

/** One line of the image in the model's width. */
private fun resampled(colours: IntArray, across: List<Tap>): DoubleArray {
    val line = DoubleArray(across.size * CHANNELS)
    across.forEachIndexed { column, tap ->
        for (channel in 0 until CHANNELS) {
            var sum = 0.0
            for (index in tap.weights.indices) sum += tap.weights[index] * value(colours[tap.from + index], channel)
            line[column * CHANNELS + channel] = if (ANTIALIAS) floor(sum + 0.5) else sum
        }
    }
    return line
}

/** Red, green or blue, or the grey of ITU-R 601. */
private fun value(colour: Int, channel: Int): Int {
    val red = colour shr 16 and 255
    val green = colour shr 8 and 255
    val blue = colour and 255
    if (CHANNELS == 1) return 19595 * red + 38470 * green + 7471 * blue + 32768 shr 16
    return if (channel == 0) red else if (channel == 1) green else blue
}

private fun softmax(scores: FloatArray): FloatArray {
    val largest = scores.fold(scores[0]) { most, score -> max(most, score) }
    val powers = FloatArray(scores.size) { exp(scores[it] - largest) }
    val total = powers.sum()
    return FloatArray(scores.size) { powers[it] / total }
}
