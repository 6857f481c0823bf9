/* The model file as part of the program, on a multiple of 64 bytes: nothing of it is copied. */
    .section .rodata
    .globl model_bytes
    .globl model_bytes_end
    .balign 64
model_bytes:
    .incbin "model.symk"
model_bytes_end:
    .section .note.GNU-stack,"",%progbits
