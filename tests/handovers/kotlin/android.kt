// Stand-ins for the classes of Android that Classifier.kt uses: what they take and give, not what they do.
package android.content

import java.io.FileInputStream
import java.io.InputStream

class AssetManager(private val folder: String) {
    fun open(name: String): InputStream = FileInputStream("$folder/$name")
}

class Context(val assets: AssetManager)
