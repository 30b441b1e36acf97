import android.content.AssetManager
import android.content.Context
import android.graphics.Bitmap

/** Classifies an image of the model's size, whose pixels are given as 0xRRGGBB, and one of another size. */
fun main(arguments: Array<String>) {
    val classifier = Classifier(Context(AssetManager(arguments[0])))
    val pixels = arguments.drop(1).map { it.toInt() }.toIntArray()
    val (label, probability) = classifier.classify(Bitmap(8, 8, pixels)).first()
    println("$label $probability")
    println(classifier.classify(Bitmap(33, 20, IntArray(33 * 20))).size)
    classifier.close()
}
