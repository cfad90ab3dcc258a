// Documents that a mail policy wants told apart: they hold macros, or a password keeps every scanner out.
// The meta field `status` says as what a hit counts; without it a hit is `infected`.

rule Document_Macro_OLE2
{
    meta:
        description = "An OLE2 document (Word, Excel, PowerPoint before 2007, or vbaProject.bin itself) with VBA in it"
        status = "macro"
    strings:
        $vba = "_VBA_PROJECT" wide
    condition:
        uint32be(0) == 0xD0CF11E0 and uint32be(4) == 0xA1B11AE1 and $vba
}

rule Document_Macro_OOXML
{
    meta:
        description = "A zip archive whose directory names vbaProject.bin: an OOXML document with VBA in it"
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
        description = "An OOXML document under a password: an OLE2 container with the stream EncryptedPackage"
        status = "encrypted"
    strings:
        $stream = "EncryptedPackage" wide
    condition:
        uint32be(0) == 0xD0CF11E0 and uint32be(4) == 0xA1B11AE1 and $stream
}

rule Document_Encrypted_PDF
{
    meta:
        description = "A PDF under a password: /Encrypt in its trailer or its cross-reference stream"
        status = "encrypted"
    strings:
        $pdf = "%PDF-"
        $encrypt = /\/Encrypt\s{0,16}(\d{1,10}\s{1,16}\d{1,5}\s{1,16}R|<<)/
    condition:
        $pdf in (0..1024) and $encrypt
}
