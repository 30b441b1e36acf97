"""C programs on an emulated Cortex-M: built with arm-none-eabi-gcc, run in QEMU with semihosting."""
