// Documents that a mail policy treats specially: they contain macros, or are encrypted so that no scanner can read them.
// The meta field `status` is what a hit counts as; without it a hit is `infected`.

rule Document_Macro_OLE2
{
    meta:
        description = "An OLE2 document (Word, Excel, PowerPoint before 2007, or vbaProject.bin itself) that contains VBA"
        status = "macro"
    strings:
        $vba = "_VBA_PROJECT" wide
    condition:
        uint32be(0) == 0xD0CF11E0 and uint32be(4) == 0xA1B11AE1 and $vba
}

rule Document_Macro_OOXML
{
    meta:
        description = "A zip archive whose directory lists vbaProject.bin: an OOXML document that contains VBA"
        status = "macro"
    strings:
        $directory = { 50 4B 01 02 }
        $member = "vbaProject.bin" nocase
    condition:
        $directory and $member
}

rule Document_Encrypted_OOXML
{
    meta:
        description = "An encrypted OOXML document: an OLE2 container with the stream EncryptedPackage"
        status = "encrypted"
    strings:
        $stream = "EncryptedPackage" wide
    condition:
        uint32be(0) == 0xD0CF11E0 and uint32be(4) == 0xA1B11AE1 and $stream
}

rule Document_Encrypted_PDF
{
    meta:
        description = "An encrypted PDF: /Encrypt in its trailer or its cross-reference stream"
        status = "encrypted"
    strings:
        $pdf = "%PDF-"
        $encrypt = /\/Encrypt\s{0,16}(\d{1,10}\s{1,16}\d{1,5}\s{1,16}R|<<)/
    condition:
        $pdf in (0..1024) and $encrypt
}
