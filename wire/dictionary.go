package wire

import _ "embed"

// dictionaryID stands in the header of every frame that leans on dictionary.
const dictionaryID = 1

// dictionary is what compressed messages may refer to as if it came before them:
// names of the 400 Debian 12 packages that most others depend on and of its base
// system, the accounts and groups that every Debian has, and bodies of all kinds
// as they usually look; the commonest last. Both ends must hold these very
// bytes: another text is another number and another flag.
//
//go:embed dictionary1.txt
var dictionary []byte
