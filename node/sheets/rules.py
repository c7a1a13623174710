"""How is each rule of a bad cell said, in Chinese and in English?

The first are judged by the importer itself; the others are the names by which records holds a
row. A test compares them with what records can say.
"""

from __future__ import annotations

from node.sheets.columns import BY_FIELD

RULES = {
    "is_missing": ("此格为空,必须填写", "this cell is empty and must be filled"),
    "too_long": ("过长:最多 {limit} 个字符", "too long: at most {limit} characters"),
    "wrong_form": ("不符合本列规定", "breaks the rule of this column"),
    "out_of_range": ("超出本列范围", "out of the range of this column"),
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

# What each column takes: said of a cell whose rule's name does not say it.
COLUMN_RULES = {
    "name": ("最多 {limit} 个字符", "at most {limit} characters"),
    "document_type": ("证件种类,如居民身份证", "a type of document, such as 居民身份证"),
    "document_number": ("证件上的号码,最多 {limit} 个字符",
                        "the number on the document, at most {limit} characters"),
    "activity_name": ("1 至 {limit} 个字符,不含控制字符",
                      "1 to {limit} characters, no control characters"),
    "project_name": ("最多 {limit} 个字符,不含控制字符",
                     "at most {limit} characters, no control characters"),
    "occurred_on": ("1949-10-01 以来、有记录规定适用的日期,写作 2027-03-01",
                    "a day since 1949-10-01 for which a recording policy holds, written "
                    "2027-03-01"),
    "started_at": ("1949-10-01 以来的时间,写作 09:30 或 2027-03-01 09:30,并填写结束时间",
                   "a time since 1949-10-01, written 09:30 or 2027-03-01 09:30, with an end"),
    "ended_at": ("时间,写作 11:30 或 2027-03-01 11:30,并填写开始时间",
                 "a time, written 11:30 or 2027-03-01 11:30, with a start"),
    "break_minutes": ("{least} 至 {most} 的整数分钟,并填写开始和结束时间",
                      "whole minutes from {least} to {most}, with start and end"),
    "hours": ("小时数,如 2.5,须折合整数分钟", "hours such as 2.5, a whole number of minutes"),
    "minutes": ("大于 0 的整数分钟", "whole minutes, above 0"),
    "place_name": ("最多 {limit} 个字符,不含控制字符",
                   "at most {limit} characters, no control characters"),
    "region_code": ("六位行政区划代码,如 500106", "a region code of six digits, such as 500106"),
    "category": ("service 或 social_practice", "service or social_practice"),
    "field_code": ("小写代码,如 community_affairs,最多 40 个字符",
                   "a code in lower case, such as community_affairs, at most 40 characters"),
    "content": ("最多 {limit} 个字符,不含控制字符",
                "at most {limit} characters, no control characters"),
    "distinct": ("{least} 至 {most} 的整数", "a whole number from {least} to {most}"),
    "source_id": ("1 至 {limit} 个可见字符,且未用于另一位志愿者",
                  "1 to {limit} visible characters, not used for another volunteer"),
}
_OF_COLUMN = ("wrong_form", "out_of_range", "FieldIsWrong")

# How records names them. ``{row}``: the line of the sheet that holds the same fact.
HELD = {
    "PersonIsUnknown": ("本市没有这个证件号码的志愿者;请先征得本人同意并登记",
                        "nobody is registered here under this number; register the person first, "
                        "with consent"),
    "NameDiffers": ("姓名与该证件号码登记的姓名不一致",
                    "the name is not the one registered under this number"),
    "BeforeBirth": ("服务日期早于出生日期", "the service lies before the person's birth"),
    "UnitIsNotRepresentable": RULES["unit_is_not_representable"],
    "FieldIsWrong": ("不符合本列规定", "breaks the rule of this column"),
    "ActorMayNot": ("导入人无权记录", "the importer may not record this"),
    "TextHoldsPersonalData": ("文字中含有证件号码、电话或坐标,请删去",
                              "the text holds an identity number, a phone or a coordinate; "
                              "leave it out"),
    "NotVolunteerService": ("不属于志愿服务(值班、会议、培训、捐赠等)",
                            "is no volunteer service (duty, meetings, training, donations …)"),
    "RecorderMayNotAct": ("该单位目前不得记录", "this organisation may not record at present"),
    "MinutesAreNotPositive": ("时长须大于 0", "the duration must be above zero"),
    "MinutesAreTooMany": ("一条记录不得超过 24 小时", "more than 24 hours in one entry"),
    "MinutesDisagree": ("时长与起止时间(扣除休息)或另一列不符",
                        "the duration differs from the times less breaks, or from another column"),
    "ServiceIsInTheFuture": ("服务日期在今天之后", "the service lies in the future"),
    "SameFactExists": ("已有相同的服务记录{row};若确为同日另一次,请在“同日序号”填 2、3 …",
                       "the same service is recorded already{row}; if it was another one that "
                       "day, put 2, 3 … under Distinct"),
    "EvidenceIsMissing": ("缺少证明材料", "evidence is missing"),
    "DossierIsSealed": ("该志愿者的档案已封存", "the person's dossier is sealed"),
    "TooManyAreHeld": ("该志愿者转移期间暂存过多,请稍后再导入",
                       "too much is kept aside for this person during a move; import later"),
    "SubjectIsUnknown": ("该志愿者的登记尚未到达,请稍后再导入",
                         "the person's registration has not arrived yet; import again later"),
    "OrganisationIsUnknown": ("该单位的登记尚未到达,请稍后再导入",
                              "the organisation's registration has not arrived yet; import later"),
    "PolicyIsMissing": ("该日期没有适用的记录规定", "no recording policy holds on that day"),
}


def words(rule: str, same_as_line: int | None = None, *, field: str = "") -> tuple[str, str]:
    """Chinese and English of a rule, as the column of ``field`` has it; of a rule that we do not
    know, its name.
    """
    zh, en = RULES.get(rule) or HELD.get(rule) or (rule, rule)
    if column := BY_FIELD.get(field):
        if rule in _OF_COLUMN:
            zh, en = (f"{zh}:{COLUMN_RULES[field][0]}", f"{en}: {COLUMN_RULES[field][1]}")
        for name in ("limit", "least", "most"):
            bound = str(getattr(column, name))
            zh, en = zh.replace(f"{{{name}}}", bound), en.replace(f"{{{name}}}", bound)
    if same_as_line is None:
        return zh.replace("{row}", ""), en.replace("{row}", "")
    return (zh.replace("{row}", f"(见第 {same_as_line} 行)"),
            en.replace("{row}", f" (line {same_as_line})"))
