package regional

// locales are the languages that Windows knows by a number (MS-LCID), with their name and the layout of their usual
// keyboard on Linux (XKB; a variant in parentheses). The first of a language is the one meant by the bare language.
func locales() []locale {
	return []locale{
		{0x0401, "ar-SA", "ara"}, {0x0801, "ar-IQ", "ara"}, {0x0C01, "ar-EG", "ara"}, {0x1401, "ar-DZ", "ara"}, {0x1801, "ar-MA", "ara"},
		{0x1C01, "ar-TN", "ara"}, {0x2C01, "ar-JO", "ara"}, {0x3401, "ar-KW", "ara"}, {0x3801, "ar-AE", "ara"}, {0x4001, "ar-QA", "ara"},
		{0x0402, "bg-BG", "bg"}, {0x0403, "ca-ES", "es(cat)"},
		{0x0804, "zh-CN", "cn"}, {0x0404, "zh-TW", "cn"}, {0x0C04, "zh-HK", "cn"}, {0x1004, "zh-SG", "cn"}, {0x1404, "zh-MO", "cn"},
		{0x0405, "cs-CZ", "cz"}, {0x0406, "da-DK", "dk"},
		{0x0407, "de-DE", "de"}, {0x0807, "de-CH", "ch"}, {0x0C07, "de-AT", "at"}, {0x1007, "de-LU", "de"}, {0x1407, "de-LI", "ch"},
		{0x0408, "el-GR", "gr"},
		{0x0409, "en-US", "us"}, {0x0809, "en-GB", "gb"}, {0x0C09, "en-AU", "us"}, {0x1009, "en-CA", "us"}, {0x1409, "en-NZ", "us"},
		{0x1809, "en-IE", "ie"}, {0x1C09, "en-ZA", "us"}, {0x4009, "en-IN", "us"}, {0x4809, "en-SG", "us"}, {0x3409, "en-PH", "us"},
		{0x0C0A, "es-ES", "es"}, {0x080A, "es-MX", "latam"}, {0x2C0A, "es-AR", "latam"}, {0x340A, "es-CL", "latam"}, {0x240A, "es-CO", "latam"},
		{0x280A, "es-PE", "latam"}, {0x200A, "es-VE", "latam"}, {0x300A, "es-EC", "latam"}, {0x380A, "es-UY", "latam"}, {0x540A, "es-US", "us"},
		{0x040B, "fi-FI", "fi"},
		{0x040C, "fr-FR", "fr"}, {0x080C, "fr-BE", "be"}, {0x0C0C, "fr-CA", "ca"}, {0x100C, "fr-CH", "ch(fr)"}, {0x140C, "fr-LU", "fr"},
		{0x040D, "he-IL", "il"}, {0x040E, "hu-HU", "hu"}, {0x040F, "is-IS", "is"},
		{0x0410, "it-IT", "it"}, {0x0810, "it-CH", "ch"},
		{0x0411, "ja-JP", "jp"}, {0x0412, "ko-KR", "kr"},
		{0x0413, "nl-NL", "us"}, {0x0813, "nl-BE", "be"},
		{0x0414, "nb-NO", "no"}, {0x0814, "nn-NO", "no"}, {0x0415, "pl-PL", "pl"},
		{0x0416, "pt-BR", "br"}, {0x0816, "pt-PT", "pt"},
		{0x0418, "ro-RO", "ro"}, {0x0419, "ru-RU", "ru"}, {0x041A, "hr-HR", "hr"}, {0x041B, "sk-SK", "sk"}, {0x041C, "sq-AL", "al"},
		{0x041D, "sv-SE", "se"}, {0x081D, "sv-FI", "fi"}, {0x041E, "th-TH", "th"}, {0x041F, "tr-TR", "tr"}, {0x0420, "ur-PK", "pk"},
		{0x0421, "id-ID", "us"}, {0x0422, "uk-UA", "ua"}, {0x0423, "be-BY", "by"}, {0x0424, "sl-SI", "si"}, {0x0425, "et-EE", "ee"},
		{0x0426, "lv-LV", "lv"}, {0x0427, "lt-LT", "lt"}, {0x0429, "fa-IR", "ir"}, {0x042A, "vi-VN", "vn"}, {0x042B, "hy-AM", "am"},
		{0x042D, "eu-ES", "es"}, {0x042F, "mk-MK", "mk"}, {0x0436, "af-ZA", "us"}, {0x0437, "ka-GE", "ge"}, {0x0438, "fo-FO", "fo"},
		{0x0439, "hi-IN", "in"}, {0x043A, "mt-MT", "mt"}, {0x043E, "ms-MY", "us"}, {0x043F, "kk-KZ", "kz"}, {0x0441, "sw-KE", "us"},
		{0x0445, "bn-IN", "in(ben)"}, {0x0447, "gu-IN", "in(guj)"}, {0x0449, "ta-IN", "in(tam)"}, {0x044A, "te-IN", "in(tel)"},
		{0x044B, "kn-IN", "in(kan)"}, {0x044C, "ml-IN", "in(mal)"}, {0x044E, "mr-IN", "in"}, {0x0450, "mn-MN", "mn"}, {0x0452, "cy-GB", "gb"},
		{0x0456, "gl-ES", "es"}, {0x0464, "fil-PH", "us"}, {0x046E, "lb-LU", "ch"}, {0x083C, "ga-IE", "ie"}, {0x241A, "sr-Latn-RS", "rs(latin)"},
		{0x281A, "sr-Cyrl-RS", "rs"}, {0x141A, "bs-Latn-BA", "ba"}, {0x0443, "uz-Latn-UZ", "uz"}, {0x042C, "az-Latn-AZ", "az"},
	}
}
