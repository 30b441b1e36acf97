import android.content.AssetManager
import android.content.Context
import android.graphics.Bitmap
import java.io.File

/** Classifies images: the folder of assets, then of each its width, height and a file of pixels 0xRRGGBB as text. */
fun main(arguments: Array<String>) {
    val classifier = Classifier(Context(AssetManager(arguments[0])))
    arguments.drop(1).chunked(3).forEach { (width, height, file) ->
        val pixels = File(file).readText().split(" ").map { it.toInt() }.toIntArray()
        val (label, probability) = classifier.classify(Bitmap(width.toInt(), height.toInt(), pixels)).first()
        println("$label $probability")
    }
    classifier.close()
}
