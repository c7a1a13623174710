"""How is each rule of a bad cell said, in Chinese and in English?"""

from __future__ import annotations

# Rules that the importer itself judges. Those of the services come with their own words.
RULES = {
    "is_missing": ("此格为空,必须填写", "this cell is empty and must be filled"),
    "not_text": ("应为文字", "should be text"),
    "digits_were_lost": ("证件号码被存为数字,末尾几位已丢失;请把该列设为文本后重新填写",
                         "the number is stored as a number and has lost its last digits; format "
                         "the column as text and enter it again"),
    "unknown_document_type": ("证件类型无法识别", "this document type is not known"),
    "not_a_number": ("不是数字", "not a number"),
    "not_a_whole_number": ("应为不小于 0 的整数", "should be a whole number, 0 or more"),
    "not_a_date": ("不是有效日期,应如 2027-03-01", "not a date; should be like 2027-03-01"),
    "not_a_time": ("不是有效时间,应如 09:30", "not a time; should be like 09:30"),
    "date_differs_from_start": ("服务日期与开始时间不在同一天",
                                "the date is not the day of the start"),
    "unit_is_not_representable": ("时长不是整数分钟(如 0.33 小时),不会四舍五入,请更正",
                                  "not a whole number of minutes (0.33 h, say); it is never "
                                  "rounded: correct it"),
}


def words(rule: str) -> tuple[str, str] | None:
    """Chinese and English of a rule judged here; ``None`` for the services' own."""
    return RULES.get(rule.replace("-", "_"))
