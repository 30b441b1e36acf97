// A stand-in for LiteRT: prints what it is given, and gives the scores 0, 1, 2 ...
package com.google.ai.edge.litert

import android.content.AssetManager

enum class Accelerator { CPU, GPU, NPU }

class TensorBuffer : AutoCloseable {
    private var values = FloatArray(0)

    fun writeFloat(values: FloatArray) {
        this.values = values
    }

    fun readFloat() = values

    override fun close() = Unit
}

class CompiledModel : AutoCloseable {
    class Options(vararg accelerators: Accelerator)

    fun createInputBuffers() = listOf(TensorBuffer())

    fun createOutputBuffers() = listOf(TensorBuffer())

    fun run(inputs: List<TensorBuffer>, outputs: List<TensorBuffer>) {
        println(inputs[0].readFloat().map { it.toInt() }.joinToString(" "))
        outputs[0].writeFloat(FloatArray(10) { it.toFloat() })
    }

    override fun close() = Unit

    companion object {
        fun create(assets: AssetManager, name: String, options: Options = Options(), environment: Any? = null) =
            CompiledModel()
    }
}
